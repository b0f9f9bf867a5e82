"""The standard streams of a process, sent to files for a time.

The descriptors 1 and 2 themselves lead to the files then, so what subprocesses and C libraries
print goes there too. Whatever happens meanwhile, they lead back afterwards: a descriptor that
somebody closed, a stream that was replaced, a disk that is full.
"""

import errno
import fcntl
import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final, Literal, TextIO

Name = Literal["stdout", "stderr"]

NUMBERS: Final[dict[Name, int]] = {"stdout": 1, "stderr": 2}

_OUT_OF_THE_WAY: Final = 100
"""Descriptors that we keep begin here: whoever closes the first few closes none of ours."""


class Redirection:
    """One of the two streams, sent to a file from `begin` to `end`.

    Redirections of one stream may lie in each other, and may also end in another order than that
    in which they began.

    Args:
        name: The stream.
        path: The file; what is there already stays, and its folder must be there.

    Attributes:
        error: Why something that Python code printed is not in the file; `None` while all is.
    """

    def __init__(self, name: Name, path: Path) -> None:
        self._name: Name = name
        self._number = NUMBERS[name]
        self._path = path
        self._led_to: int | None = None
        self._before: TextIO | None = None
        self._stream: TextIO | None = None
        self._file = _ForgivingFile(self._number)

    @property
    def error(self) -> OSError | None:
        """Why something is not in the file."""
        return self._file.error

    def begin(self) -> None:
        """Send the stream to the file.

        Raises:
            OSError: The file cannot be opened, or no more files; then nothing has changed.
        """
        with _lock:
            stream: TextIO | None = getattr(sys, self._name)
            _flush(stream)
            file = _open(self._path)
            try:
                self._led_to = _copy(self._number)
                os.dup2(file, self._number)
            finally:
                os.close(file)
            self._before = stream
            # One without a descriptor belongs to somebody who wants to have what is printed.
            if _has_descriptor(stream):
                self._stream = self._text()
                setattr(sys, self._name, self._stream)
            _under_way[self._name].append(self)

    def end(self) -> None:
        """Send the stream to where it led before."""
        with _lock:
            for stream in (getattr(sys, self._name), self._stream, self._before):
                _flush(stream)
            under_way = _under_way[self._name]
            above = under_way[under_way.index(self) + 1 :]
            under_way.remove(self)
            if above:
                _close(above[0]._led_to)  # noqa: SLF001  of the same class
                above[0]._led_to, above[0]._before = self._led_to, self._before  # noqa: SLF001
                return
            setattr(sys, self._name, self._before)
            _lead(self._number, self._led_to)

    def _text(self) -> TextIO:
        """Return a stream of text that people may watch while it is written."""
        buffer = io.BufferedWriter(self._file)  # type: ignore[type-var]
        return io.TextIOWrapper(buffer, "utf-8", "backslashreplace", line_buffering=True)


class _ForgivingFile(io.RawIOBase):
    """A descriptor to which everything can be written, on a full disk too; it is then lost.

    A step does not fail because nobody can read what it prints.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self.error: OSError | None = None

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    def write(self, data: "bytes | memoryview") -> int:  # type: ignore[override]
        try:
            return os.write(self._number, data)
        except OSError as error:
            self.error = self.error or error
            return len(data)


_lock = Lock()
_under_way: Final[dict[Name, list[Redirection]]] = {"stdout": [], "stderr": []}
"""The descriptors are those of the process, and so is what knows where they lead."""


def _open(path: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    opened = os.open(path, flags, 0o666)
    # It would be one of the two itself, where that one is closed.
    try:
        return fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, _OUT_OF_THE_WAY)
    finally:
        os.close(opened)


def _copy(number: int) -> int | None:
    """Return another descriptor for what one leads to, or `None` where it is closed."""
    try:
        return fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _OUT_OF_THE_WAY)
    except OSError as error:
        if error.errno == errno.EBADF:
            return None
        raise


def _lead(number: int, to: int | None) -> None:
    """Let a descriptor lead somewhere else, and at any rate not where it leads now."""
    try:
        if to is None:
            os.close(number)
            return
        os.dup2(to, number)
    except OSError:
        # Somebody closed what is ours. The next run must not print into the file of this one.
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, number)
            os.close(nowhere)
    _close(to)


def _close(number: int | None) -> None:
    if number is not None:
        with suppress(OSError):
            os.close(number)


def _flush(stream: TextIO | None) -> None:
    # A closed stream has nothing to write, and what a full disk does not take is lost or goes on.
    with suppress(OSError, ValueError, AttributeError):
        if stream is not None:
            stream.flush()


def _has_descriptor(stream: TextIO | None) -> bool:
    """Return whether a stream leads out of the process, or would if somebody had not closed it."""
    if stream is None or getattr(stream, "closed", False):
        return True
    try:
        return isinstance(stream.fileno(), int)
    except (OSError, ValueError, AttributeError):
        return False

"""The text of a file, or of standard input: never more of it than a reader can take."""

import os
import sys
from pathlib import Path
from typing import BinaryIO, Final

from dagster_pgflow.dsl.reading.bounds import NOWHERE
from dagster_pgflow.dsl.reading.unreadable import Unreadable
from dagster_pgflow.errors import ConfigurationError

MOST_BYTES: Final = 10_000_000
"""Of a file of definitions: fifty times what a flow of a thousand steps takes."""


def text_of_file(path: Path, most_bytes: int = MOST_BYTES) -> str:
    """Return the text of a file, without the mark that some editors put at its beginning.

    Args:
        path: A file, or a pipe that somebody writes to; one that nobody writes to is empty.
        most_bytes: How much it may hold.

    Raises:
        ConfigurationError: It cannot be opened.
        Unreadable: It is no text, or too much.
    """
    try:
        with open(path, "rb", opener=_opened) as file:
            content = file.read(most_bytes + 1)
    except ValueError as error:
        raise ConfigurationError(f"{str(path)!r} cannot be read: {error}.") from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error
    return _text(content, "The file", most_bytes)


def text_of_standard_input(most_bytes: int = MOST_BYTES) -> str:
    """Return the text that comes from standard input.

    Raises:
        ConfigurationError: It is closed.
        Unreadable: It is no text, or too much.
    """
    # Where it is closed from the start, Python has none.
    stream: BinaryIO | None = getattr(sys.stdin, "buffer", None)
    if stream is None:
        raise ConfigurationError("Standard input cannot be read: it is closed.")
    try:
        content = stream.read(most_bytes + 1)
    except OSError as error:
        raise ConfigurationError(f"Standard input cannot be read: {error.strerror}.") from error
    return _text(content, "Standard input", most_bytes)


def _opened(path: str, flags: int) -> int:
    """Open without waiting for somebody to write to a pipe, which might be without end."""
    nonblocking = getattr(os, "O_NONBLOCK", None)  # which Windows does not have
    if nonblocking is None:
        return os.open(path, flags)
    descriptor = os.open(path, flags | nonblocking)
    os.set_blocking(descriptor, True)
    return descriptor


def _text(content: bytes, name: str, most_bytes: int) -> str:
    if len(content) > most_bytes:
        raise Unreadable(NOWHERE, f"{name} holds more than {most_bytes:,} bytes; write less.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(NOWHERE, f"{name} is not UTF-8 text (byte {error.start}).") from error

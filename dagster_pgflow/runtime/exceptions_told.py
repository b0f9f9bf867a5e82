"""What is told of an exception that code of users raised: what it says, where, and why.

An exception may be anything: its text may raise or fill a disk, it may be a group, it may come from
C and have no frames, and those before it may be hidden on purpose. What is told is bounded.
"""

import asyncio
import site
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import CodeType, TracebackType
from typing import Final

from dagster_pgflow.json_values.storable import storable

MOST_CHARACTERS: Final = 20_000
"""Of what an exception says; more would only fill the event log."""

_MOST_BEFORE: Final = 5
"""How many exceptions are told that led to one, and how many of a group."""

_MOST_SAID: Final = 3
"""The same in a sentence."""

_LONGEST_BEFORE: Final = 500
_MOST_FRAMES: Final = 40
_LONGEST_PLACE: Final = 200
_OWN: Final = str(Path(__file__).parent)
_NODE_TYPES: Final = f"{_OWN}/node_types/"
_MOCKS: Final = str(Path(__file__).parents[1] / "in_process" / "stand_ins.py")
_CALLERS: Final = (_OWN, _MOCKS, str(Path(asyncio.__file__).parent))
"""Where the frames lie that only lead to a handler, or that raise in the place of one: this folder,
what stands in for handlers, and what runs coroutines."""


@dataclass(frozen=True)
class ToldException:
    """An exception as people are told of it.

    Attributes:
        kind: The name of its class.
        message: What Python says of it, in one line or more.
        stack: Its frames, the innermost last, as Python prints them; those that led to the handler
            are left out.
        cause: What it was raised from, if it was.
        context: What was being handled as it was raised, unless that is hidden.
    """

    kind: str
    message: str
    stack: tuple[str, ...] = ()
    cause: "ToldException | None" = None
    context: "ToldException | None" = None


def said(error: BaseException) -> str:
    """Return what an exception says, where it was raised, and what led to it, in one sentence.

    What it was raised from is told, and what was being handled then if a line of the users' code
    raised that: what a library tried in vain is its own affair.
    """
    kind, text, place = type(error).__name__, _text_of(error), place_of(error)
    where = f" ({place})" if place else ""
    before = "".join(_said_before(error, _MOST_SAID))
    # Others are handed the sentence as a value, where a failure does not end the run.
    return str(storable(f"{kind}: {text}{where}{before}" if text else f"{kind}{where}{before}."))


def _said_before(error: BaseException, most: int) -> Iterator[str]:
    cause, context = error.__cause__, error.__context__
    shows_context = context is not None and not error.__suppress_context__
    link, before = ("from", cause) if cause is not None else ("while handling", context)
    if before is None or before is error or most == 0 or not (cause is not None or shows_context):
        return
    place = place_of(before)
    if cause is not None or _own_frames(before):
        text = _text_without_end(_text_of(before))
        where = f" ({place})" if place else ""
        yield f", {link} {type(before).__name__}{text and f': {text}'}{where}"
        yield from _said_before(before, most - 1)


def _text_without_end(text: str) -> str:
    """Return the beginning of a long text; a word, which may be a secret, is whole or not there."""
    line = " ".join(text[: _LONGEST_BEFORE + 1].split())
    return line if len(text) <= _LONGEST_BEFORE else f"{line.rpartition(' ')[0]} …".lstrip()


def told_of(error: BaseException, most_before: int = _MOST_BEFORE) -> ToldException:
    """Return what is told of an exception and of those that led to it.

    Args:
        error: The exception.
        most_before: How many of those before it are told at most.
    """
    before = error.__cause__
    context = None if error.__suppress_context__ else error.__context__
    return ToldException(
        kind=type(error).__name__,
        message="".join(f"{storable(line)}\n" for line in _message_lines(error)),
        stack=tuple(_stack_of(error)),
        cause=_before(before, error, most_before),
        context=_before(context, error, most_before) if before is None else None,
    )


def place_of(error: BaseException) -> str | None:
    """Return file, line and function of the users' code at which an exception came up.

    That is the innermost frame outside of libraries, or else the one that the handler is.

    Returns:
        Such as `shop/cards.py:41 in charge`; `None` where no frame is the users', such as in a
        built-in node type.
    """
    if any(code.co_filename.startswith(_NODE_TYPES) for code, _ in _frames_in(error.__traceback__)):
        return None
    own = _own_frames(error) or _named_frames(error)[:1]
    if not own:
        return None
    code, line = own[-1]
    return f"{_file_of(code)}:{line} in {code.co_name}"[:_LONGEST_PLACE]


def _own_frames(error: BaseException) -> list[tuple[CodeType, int]]:
    """Return the frames outside of libraries."""
    return [frame for frame in _named_frames(error) if not _is_of_library(frame[0].co_filename)]


def _named_frames(error: BaseException) -> list[tuple[CodeType, int]]:
    return [(code, line) for code, line in _frames_of(error) if code.co_filename]


def _before(before: BaseException | None, error: BaseException, most: int) -> ToldException | None:
    if before is None or before is error or most == 0:
        return None
    return told_of(before, most - 1)


def _message_lines(error: BaseException) -> Iterator[str]:
    text = _text_of(error)
    kind = type(error).__name__
    yield f"{kind}: {text}" if text else kind
    if isinstance(error, BaseExceptionGroup):
        for number, inner in enumerate(error.exceptions[:_MOST_BEFORE], 1):
            yield f"  {number}. {said(inner)}"
        if len(error.exceptions) > _MOST_BEFORE:
            yield f"  and {len(error.exceptions) - _MOST_BEFORE} more"


def _text_of(error: BaseException) -> str:
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001  # any code may run here, and 10**5000 has no text
        return "(it has no text)"
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]} …"


def _stack_of(error: BaseException) -> list[str]:
    try:
        lines = traceback.extract_tb(_begin_of(error.__traceback__)).format()
    except Exception:  # noqa: BLE001  # a source file may be anything by now
        return []
    if len(lines) > _MOST_FRAMES:
        half = _MOST_FRAMES // 2
        lines = [*lines[:half], f"  … {len(lines) - 2 * half} more …\n", *lines[-half:]]
    return [str(storable(line[:MOST_CHARACTERS])) for line in lines]


def _begin_of(found: TracebackType | None) -> TracebackType | None:
    """Return the frames from the first one on that does not only lead to a handler."""
    while found is not None and found.tb_frame.f_code.co_filename.startswith(_CALLERS):
        found = found.tb_next
    return found


def _frames_of(error: BaseException) -> Iterator[tuple[CodeType, int]]:
    return _frames_in(_begin_of(error.__traceback__))


def _frames_in(found: TracebackType | None) -> Iterator[tuple[CodeType, int]]:
    while found is not None:
        yield found.tb_frame.f_code, found.tb_lineno
        found = found.tb_next


def _is_of_library(file: str) -> bool:
    return file.startswith((*_libraries(), "<frozen"))


def _libraries() -> tuple[str, ...]:
    named = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    return tuple({*named, *site.getsitepackages()} - {None, "", sys.prefix})


def _file_of(code: CodeType) -> str:
    """Return the file of some code as an import finds it, so that it is the same on all hosts."""
    whole = code.co_filename
    roots = (root for root in sys.path if root and whole.startswith(f"{root.rstrip('/')}/"))
    longest = max(roots, key=len, default=None)
    if longest is None:
        return PurePath(whole).name
    return whole[len(longest.rstrip("/")) + 1 :]

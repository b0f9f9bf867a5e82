"""How commands speak: tables for people, JSON for programs, asides on standard error."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import click
from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

WIDTH_OF_FILES = 160
"""Columns where the output is no terminal, whose width would count."""

LONGEST_WORD = 20
"""Characters: what is longer, such as an address, may be broken in a table."""

BETWEEN_COLUMNS = 3

STYLES = {
    "queued": "yellow",
    "created": "dim",
    "started": "cyan",
    "waiting": "bold yellow",
    "completed": "green",
    "failed": "bold red",
    "skipped": "dim",
    "cancelled": "magenta",
    "ok": "green",
    "warning": "yellow",
}

as_json = click.option("--json", "wants_json", is_flag=True, help="Print JSON, for programs.")
"""The option of every command whose answer a program might read."""


def console(*, stderr: bool = False) -> Console:
    """Return where to write; nothing that is written is read as markup.

    Args:
        stderr: For what is no part of the answer: progress, hints.
    """
    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(
        stderr=stderr,
        markup=False,
        highlight=False,
        emoji=False,
        soft_wrap=True,
        width=None if is_terminal else WIDTH_OF_FILES,
    )


def print_json(value: Any) -> None:
    """Print a value as JSON; dataclasses are objects, times and ids are texts."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case UUID():
            return str(value)
        case _ if is_dataclass(value) and not isinstance(value, type):
            return asdict(value)
        case _:
            return str(value)


class FittingTable(Table):
    """A table that lists its rows one below the other where words would have to be broken."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table, or the list."""
        if self._narrowest() <= options.max_width:
            yield from super().__rich_console__(console, options)
            return
        if self.title:
            yield Text(str(self.title))
        for first, *more in zip(*(column.cells for column in self.columns), strict=True):
            yield _as_text(first)
            for column, cell in zip(self.columns[1:], more, strict=True):
                if str(cell):
                    yield Text(f"  {column.header}: ").append_text(_as_text(cell))

    def _narrowest(self) -> int:
        """Return how wide it is when each column is as wide as its longest word."""
        longest = (
            max(cell_len(word) for cell in (column.header, *column.cells) for word in _words(cell))
            for column in self.columns
        )
        between = BETWEEN_COLUMNS * len(self.columns)
        return between + sum(min(length, LONGEST_WORD) for length in longest)


def _words(cell: Any) -> list[str]:
    """Return the words of a cell, at least one."""
    return str(cell).split() or [""]


def _as_text(cell: Any) -> Text:
    return cell if isinstance(cell, Text) else Text(str(cell))


def new_table(*columns: str, numbers: Sequence[str] = (), title: str | None = None) -> Table:
    """Return an empty table; what is too narrow for it gets its rows as a list.

    Args:
        numbers: Those that are aligned to the right.
        title: What stands above it.
    """
    table = FittingTable(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for name in columns:
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    return table


def styled(status: str, text: str | None = None) -> Text:
    """Return a status, or another text, in the colour of the status."""
    return Text(status if text is None else text, style=STYLES.get(status, ""))


def short(value: Any, limit: int = 100) -> str:
    """Return a JSON value as one line of text that is not too long."""
    text = json.dumps(value, ensure_ascii=False, default=_plain)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def duration(start: datetime | None, end: datetime | None) -> str:
    """Return how long something took, as people say it; nothing when that is not known."""
    return "" if start is None or end is None else in_words(end - start)


def in_words(span: timedelta) -> str:
    """Return a length of time in its two largest units.

    >>> in_words(timedelta(seconds=2.345)), in_words(timedelta(minutes=61, seconds=5))
    ('2.3 s', '1 h 1 min')
    """
    seconds = max(span.total_seconds(), 0.0)
    if seconds < 60:
        return f"{seconds:.1f} s"
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    parts: list[str] = []
    rest = round(seconds)
    for unit, length in units:
        count, rest = divmod(rest, length)
        if count or parts:
            parts.append(f"{count} {unit}")
    return " ".join(part for part in parts[:2] if not part.startswith("0 "))


def clock(moment: datetime | None) -> str:
    """Return a moment as the user's clock shows it."""
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def time_of_day(moment: datetime | None) -> str:
    """Return a moment of these days as the user's clock shows it."""
    return clock(moment).partition(" ")[2]


Printer = Callable[[str], None]
"""Prints one line of progress."""


def aside(text: str) -> None:
    """Say something that is no part of the answer."""
    click.echo(text, err=True)

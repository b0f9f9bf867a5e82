"""A batch of events on its way into the table, and what is known about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One event, as the columns of its row.

    Attributes:
        run_id: The run that it belongs to.
        columns: Every column but the id.
        size: About how many bytes it has.
        is_line: Whether it is a line that a handler logged, and not Dagster's own.
    """

    run_id: str
    columns: Mapping[str, Any]
    size: int
    is_line: bool = False


@dataclass(frozen=True)
class SentBatch:
    """A transaction that has all rows of a batch, and was about to commit.

    Attributes:
        transaction: Its number.
        row: One of its rows, the smallest.
        row_id: The id that this row has if the transaction committed.
    """

    transaction: int
    row: Row
    row_id: int


class EventBatch:
    """Rows that are stored together or not at all.

    Attributes:
        rows: The rows, in the order of the log.
        sent: The transaction whose end is not known, if there is one. It is noted before the commit
            goes out, so that whatever interrupts the process or the connection behind that leaves
            a batch that can be looked for.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.sent: SentBatch | None = None

    def halves(self) -> tuple["EventBatch", "EventBatch"]:
        """Returns two batches with the same rows in the same order."""
        middle = len(self.rows) // 2
        return EventBatch(self.rows[:middle]), EventBatch(self.rows[middle:])


class EventRefused(Exception):
    """PostgreSQL or its driver does not take a batch, however often it is tried.

    Nothing of the batch is stored.

    Attributes:
        reason: What was said.
    """

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason

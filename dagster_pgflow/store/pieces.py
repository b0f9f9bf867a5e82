"""Statements of a bounded size, for runs of any size.

However large a run is, no statement that writes it takes long: a `statement_timeout` that fits the
other work of a database fits this too. All of them are one transaction all the same.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from dagster_pgflow.store.columns import columns
from dagster_pgflow.store.database import Transaction

ROWS_PER_STATEMENT: Final = 2000
_NO_LIMIT: Final = 2**31 - 1

Row = TypeVar("Row")


def pieces(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Yield rows in pieces of a bounded size; none of no rows."""
    for start in range(0, len(rows), ROWS_PER_STATEMENT):
        yield rows[start : start + ROWS_PER_STATEMENT]


def write_rows(
    transaction: Transaction, query: str, kind: type, rows: Sequence[Any], **same: Any
) -> None:
    """Run a query for rows of one kind.

    Args:
        query: Takes each column as a list.
        kind: The dataclass of the rows.
        **same: Parameters that hold for all rows.
    """
    for piece in pieces(rows):
        transaction.execute(query, **columns(kind, piece), **same)


def keep_only(
    transaction: Transaction,
    query: str,
    keys: Sequence[str],
    rows: Sequence[Any],
    **same: Any,
) -> None:
    """Run a query that drops all rows of a run but those given, which are written.

    Args:
        query: Takes each column of the keys as a list, and as `wanted` how many rows there should
            be: it looks for others only where there are more, since that takes long.
        keys: The names of these columns.
        rows: What is to stay.
        **same: Parameters that hold for all rows.
    """
    kept = {key: [getattr(row, key) for row in rows] for key in keys}
    transaction.execute(query, wanted=len(rows), **kept, **same)


def drop_from(transaction: Transaction, query: str, kept: int, last: int, **same: Any) -> None:
    """Run a query that drops numbered rows behind those that are kept.

    Args:
        query: Takes `kept` and `up_to`.
        kept: The number of the last row that stays.
        last: The number of the last row that there should be; what is behind it goes too.
        **same: Further parameters.
    """
    for start in range(kept, last, ROWS_PER_STATEMENT):
        transaction.execute(query, kept=start, up_to=start + ROWS_PER_STATEMENT, **same)
    transaction.execute(query, kept=max(kept, last), up_to=_NO_LIMIT, **same)

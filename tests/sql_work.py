"""How much SQL did: what work costs, on any machine and however busy it is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import event

from dagster_pgflow.store.database import Database, Transaction
from tests.postgres import Session

ROWS_READ = """
    select sum(pg_stat_get_xact_tuples_returned(oid))::bigint
    from pg_class
    where relnamespace = 'pgflow'::regnamespace and relkind in ('r', 'i')
"""
"""Rows of sequential scans and entries of indexes, those that functions and triggers read too.

PostgreSQL counts them for each session, at once and exactly.
"""


@dataclass
class SqlWork:
    """What transactions did.

    Attributes:
        rows: How many rows of ours they looked at.
        statements: How many statements they sent.
    """

    rows: int = 0
    statements: int = 0


class CountingDatabase(Database):
    """A database that counts what its transactions do."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        # One for all copies of this object: a database that retries is one.
        self._done = SqlWork()
        event.listen(self._connections._engine, "before_cursor_execute", self._count)

    @contextmanager
    def unchecked_transaction(self) -> Iterator[Transaction]:
        with super().unchecked_transaction() as transaction:
            before = self._rows_read(transaction)
            yield transaction
            self._done.rows += self._rows_read(transaction) - before

    def work_of(self, do: Callable[[], object]) -> SqlWork:
        """Does something, and returns what the transactions of it did."""
        before = replace(self._done)
        do()
        done = self._done
        return SqlWork(done.rows - before.rows, done.statements - before.statements)

    def _rows_read(self, transaction: Transaction) -> int:
        # The question itself is no work.
        self._done.statements -= 1
        [row] = transaction.run_sql(ROWS_READ)
        return int(row["sum"])

    def _count(
        self, _connection: Any, _cursor: Any, _sql: str, parameters: Any, _context: Any, many: bool
    ) -> None:
        # The driver sends a statement for each set of parameters.
        self._done.statements += len(parameters) if many else 1


@contextmanager
def without_statistics(sql: Session) -> Iterator[None]:
    """Has PostgreSQL know nothing of the tables of definitions, and learn nothing meanwhile.

    What it learns by itself it learns at some time, and then plans otherwise.
    """
    tables = [f"pgflow.{name}" for name in ("flows", "steps", "deps", "flow_versions")]
    for table in tables:
        sql(f"alter table {table} set (autovacuum_enabled = false)")
    sql("delete from pg_statistic where starelid = any (%s::regclass[])", tables)
    try:
        yield
    finally:
        for table in tables:
            sql(f"alter table {table} reset (autovacuum_enabled)")

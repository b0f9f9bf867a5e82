"""The door to PostgreSQL: transactions, named queries, errors in our words, and trying again.

One driver for the product: psycopg2 under SQLAlchemy's pool. libpq itself reads the address, so
everything that libpq knows works: socket folders, `sslmode`, several hosts, service files.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from copy import copy
from dataclasses import dataclass
from typing import Any, Self, TypeVar
from uuid import UUID

from sqlalchemy import Connection, CursorResult, RowMapping, TextClause, text

from dagster_pgflow.errors import PgflowError, StoreError, StoreRefused
from dagster_pgflow.store.address import parse_address
from dagster_pgflow.store.composites import fields_query, types_of, with_fields
from dagster_pgflow.store.connections import Connections
from dagster_pgflow.store.failures import sql_of_others
from dagster_pgflow.store.queries import named_queries
from dagster_pgflow.store.retrying import Retries, RetryBudget
from dagster_pgflow.store.run_ends import RunEnds
from dagster_pgflow.store.schema_version import ensure_current_schema
from dagster_pgflow.store.waits import logging_waits

Done = TypeVar("Done")


@dataclass(frozen=True)
class StatementResult:
    """What a statement says.

    Attributes:
        columns: The names of its columns; none for a statement that returns no rows.
        rows: Its rows; a value of a composite type is a `Composite`.
        count: How many rows it returned or changed.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    count: int


class Transaction:
    """One open transaction: all of its changes become true together, or none does.

    Most methods take the name of a query (see `queries`) and its parameters; `run_sql` is for
    the SQL of handlers, which is no part of the product.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def fetch_all(self, query: str, **parameters: Any) -> Sequence[RowMapping]:
        """Return all rows."""
        return self._run(query, parameters).mappings().all()

    def fetch_one(self, query: str, **parameters: Any) -> RowMapping | None:
        """Return the first row, or `None` when there is none."""
        return self._run(query, parameters).mappings().first()

    def fetch_value(self, query: str, **parameters: Any) -> Any:
        """Return the first column of the first row, or `None` when there is no row."""
        return self._run(query, parameters).scalar()

    def execute(self, query: str, **parameters: Any) -> int:
        """Change rows and return how many were changed."""
        return self._run(query, parameters).rowcount

    def execute_many(self, query: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run a query once per mapping of parameters.

        Each is a round trip: for hundreds of rows write a query that takes one JSON array.
        """
        if rows:
            self._run(query, [dict(row) for row in rows])

    def run_sql(self, sql: str, **parameters: Any) -> Sequence[RowMapping]:
        """Run one statement of your own and return its rows, none when it returns none.

        Args:
            sql: The statement; write a parameter as `:name`, and `cast(:name as type)`.

        Example:
            >>> with ctx.resources.pgflow.database.transaction() as tx:  # doctest: +SKIP
            ...     tx.run_sql("insert into shop.orders (id) values (:id)", id=order_id)
        """
        with sql_of_others():
            result = self._execute(text(sql), parameters)
        return result.mappings().all() if result.returns_rows else ()

    def run_script(self, sql: str) -> None:
        """Run SQL text of any number of statements, as it is and without parameters."""
        self._run_as_it_is(sql)

    def answer(self, sql: str) -> StatementResult:
        """Run SQL text as it is, and return what its last statement says, as psql would."""
        with sql_of_others():
            result = self._run_as_it_is(sql)
        if not result.returns_rows:
            return StatementResult((), (), max(result.rowcount, 0))
        types = types_of(result.cursor)
        columns, rows = tuple(result.keys()), tuple(tuple(row) for row in result.all())
        return StatementResult(columns, self._with_composites(rows, types), len(rows))

    def _with_composites(
        self, rows: tuple[tuple[Any, ...], ...], types: tuple[int, ...]
    ) -> tuple[tuple[Any, ...], ...]:
        asking = fields_query(types)
        if asking is None:
            return rows
        fields: dict[int, dict[str, int]] = {}
        for found in self._execute(*asking).mappings():
            fields.setdefault(found["type"], {})[found["name"]] = found["field_type"]
        with closing(self._connection.connection.cursor()) as cursor:
            return with_fields(rows, types, fields, cursor)

    def _run_as_it_is(self, sql: str) -> CursorResult[Any]:
        # Without this option the driver would read the percent signs of format() as parameters.
        as_it_is = self._connection.execution_options(no_parameters=True)
        with _storable_text(sql):
            return as_it_is.exec_driver_sql(sql)

    def _run(
        self, query: str, parameters: dict[str, Any] | list[dict[str, Any]]
    ) -> CursorResult[Any]:
        return self._execute(named_queries()[query], parameters)

    def _execute(
        self, statement: TextClause, parameters: dict[str, Any] | list[dict[str, Any]]
    ) -> CursorResult[Any]:
        with _storable_text(statement.text):
            return self._connection.execute(statement, parameters)


@contextmanager
def _storable_text(sql: str) -> Iterator[None]:
    """Run SQL that may hold, or come with, a text that PostgreSQL cannot store."""
    refusal = StoreRefused(
        "PostgreSQL cannot store a text with a NUL character or half a surrogate pair; remove it."
    )
    if "\x00" in sql:
        # The driver would run what stands before it, and drop the rest without a word.
        raise refusal
    try:
        yield
    except ValueError as error:
        # psycopg2 itself refuses these, and raises no error of its own for it.
        if not isinstance(error, UnicodeEncodeError) and "NUL" not in str(error):
            raise
        raise refusal from error


class Database:
    """A PostgreSQL database that holds, or is to hold, the pgflow schema.

    It opens no connection before the first query, may be shared by threads, and survives a fork.
    The first transaction checks that the schema fits this code.

    Attributes:
        address: Where it is.
        run_ends: Tells who waits for a run in this process.

    Args:
        url: Any libpq form, see `address.parse_address`.
        pool_size: Connections that stay open.
        max_overflow: Connections that may be opened beyond these when all are in use.
        revive: Starts the server again, if that is ours to do; it is called between two tries.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 2,
        max_overflow: int = 8,
        revive: Callable[[], object] | None = None,
    ) -> None:
        self._revive = revive
        self.address = parse_address(url)
        self._connections = Connections(self.address, pool_size, max_overflow)
        self._budget = RetryBudget()
        self._schema_is_checked = False
        self._logs_waits = False
        self.run_ends = RunEnds(self.address, self._over)

    def __repr__(self) -> str:
        return f"Database({self.address.shown!r})"

    def retrying(self, seconds: float) -> Self:
        """Return the same database for work that waits when the server does not answer.

        Args:
            seconds: How long. What ends by itself soon, such as a conflict with another session,
                is waited for anyway.
        """
        retrying = copy(self)
        retrying._budget = RetryBudget(seconds)  # noqa: SLF001  of the same class
        return retrying

    def logging_waits(self) -> Self:
        """Return the same database for work that other transactions may hold up; see `waits`."""
        logging = copy(self)
        logging._logs_waits = True  # noqa: SLF001  of the same class
        return logging

    def run(self, work: Callable[[Transaction], Done], *, is_repeatable: bool = True) -> Done:
        """Do work in a transaction, and again when the trouble is one that passes.

        Args:
            work: Is called once for each try; what a try changed is undone before the next.
            is_repeatable: Whether doing it twice does no harm. Where it would, nothing is done
                again after a connection was lost during the commit: it may be done.

        Raises:
            StoreError: PostgreSQL says no, or the trouble has lasted for too long.
        """
        retries = Retries(self._budget, is_repeatable=is_repeatable)
        while True:
            try:
                with self.transaction() as transaction:
                    return work(transaction)
            except StoreError as error:
                retries.wait_or_raise(error)
                if self._revive is not None and error.trouble == "away":
                    with suppress(PgflowError):
                        self._revive()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Open a transaction; it commits at the end of the block and rolls back on an error.

        It is tried once: a block cannot be done again. `run` takes what can.

        Raises:
            StoreError: PostgreSQL cannot be reached or says no; see `errors` for the kinds.
        """
        with self.unchecked_transaction() as transaction:
            if not self._schema_is_checked:
                ensure_current_schema(transaction, self.address)
                self._schema_is_checked = True
            yield transaction

    @contextmanager
    def unchecked_transaction(self) -> Iterator[Transaction]:
        """Open a transaction whatever schema the database has; for the migrator."""
        opened = logging_waits(self._connections) if self._logs_waits else None
        with opened or self._connections.transaction() as connection:
            yield Transaction(connection)

    def fetch_all(self, query: str, **parameters: Any) -> Sequence[RowMapping]:
        """Return all rows of a named query, in a transaction of its own that may be repeated."""
        return self.run(lambda transaction: transaction.fetch_all(query, **parameters))

    def fetch_one(self, query: str, **parameters: Any) -> RowMapping | None:
        """Return the first row of a named query, as `fetch_all` returns all."""
        return self.run(lambda transaction: transaction.fetch_one(query, **parameters))

    def fetch_value(self, query: str, **parameters: Any) -> Any:
        """Return the first value of a named query, as `fetch_all` returns all."""
        return self.run(lambda transaction: transaction.fetch_value(query, **parameters))

    def execute(self, query: str, **parameters: Any) -> int:
        """Run a named query that may be repeated and changes rows; return how many."""
        return self.run(lambda transaction: transaction.execute(query, **parameters))

    def _over(self, run_ids: Collection[UUID]) -> Collection[UUID]:
        rows = self.fetch_all("fetch_runs_over", run_ids=[str(run_id) for run_id in run_ids])
        return [row["run_id"] for row in rows]

    def close(self) -> None:
        """Close all connections; the next query opens new ones."""
        self.run_ends.close()
        self._connections.close()

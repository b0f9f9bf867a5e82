"""The tables of the examples, in the same PostgreSQL as the flows."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.store.database import Database, Transaction

DEFINITION = Path(__file__).parent / "tables.sql"


@contextmanager
def example_tables(ctx: StepContext) -> Iterator[Transaction]:
    """Open a transaction in which the tables exist.

    Args:
        ctx: The context of the handler that wants to write.
    """
    database: Database = ctx.resources.pgflow.database
    with database.transaction() as transaction:
        [row] = transaction.run_sql("select to_regclass('pgflow_examples.results') as found")
        if row["found"] is None:
            transaction.run_script(DEFINITION.read_text(encoding="utf-8"))
        yield transaction

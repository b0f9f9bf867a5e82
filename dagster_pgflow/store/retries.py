"""Lets one process at a time decide how a run goes on."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from dagster_pgflow.errors import StoreRefused
from dagster_pgflow.store.database import Database


@contextmanager
def only_retry_of(database: Database, run_id: UUID) -> Iterator[None]:
    """Keep other processes from retrying a run meanwhile.

    Raises:
        StoreRefused: Another process is at it.
    """
    with database.transaction() as transaction:
        if not transaction.fetch_value("claim_retry", run_id=str(run_id)):
            raise StoreRefused(f"Another process is retrying run {run_id} at this moment.")
        yield

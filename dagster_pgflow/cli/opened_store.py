"""The database that the environment names, for the length of a command."""

from collections.abc import Iterator
from contextlib import contextmanager

from dagster_pgflow.settings import database_url
from dagster_pgflow.store.database import Database


@contextmanager
def opened_store() -> Iterator[Database]:
    """Open the store, starting the embedded PostgreSQL if that is what it is.

    Raises:
        ConfigurationError: The address cannot be read, or the embedded PostgreSQL not started.
    """
    database = Database(database_url())
    try:
        yield database
    finally:
        database.close()

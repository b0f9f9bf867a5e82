"""The database that the environment names, for the length of a command."""

from collections.abc import Iterator
from contextlib import contextmanager

from dagster_pgflow.errors import StoreError, UnknownFlow, may_be_meant
from dagster_pgflow.settings import database_url
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.flows import FlowBuilder


@contextmanager
def opened_store() -> Iterator[Database]:
    """Open the store, starting the embedded PostgreSQL if that is what it is.

    Raises:
        ConfigurationError: The address cannot be read, or the embedded PostgreSQL not started.
        UnknownFlow: There is no such flow; it says which one may be meant.
    """
    database = Database(database_url())
    try:
        yield database
    except UnknownFlow as error:
        raise UnknownFlow(error.flow_slug, _hint(database, error.flow_slug)) from error
    finally:
        database.close()


def _hint(database: Database, slug: str) -> str:
    try:
        return may_be_meant(slug, [flow.slug for flow in FlowBuilder(database).list_flows()])
    except StoreError:
        return ""

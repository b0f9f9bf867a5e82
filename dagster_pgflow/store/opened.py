"""The store of a code location, opened once in a process."""

from typing import Final
from weakref import WeakValueDictionary

from dagster_pgflow.settings import configured_url, database_url
from dagster_pgflow.store.database import Database

# Dagster keeps definitions that it has executed for as long as the process lives. In one that loads
# a code location again for each run, the connections of each load would add up.
_OPENED: Final[WeakValueDictionary[str, Database]] = WeakValueDictionary()


def opened_store(given: str | None) -> Database:
    """Return the store, whose connections all loads in this process share.

    Args:
        given: Its address, as the code location says it.
    """
    known = given or configured_url()
    url = known or database_url()
    # The embedded server is ours to start again, whoever has ended it.
    database = _OPENED.get(url) or Database(url, revive=None if known else database_url)
    _OPENED[url] = database
    return database

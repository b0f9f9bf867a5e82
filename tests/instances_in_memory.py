"""Instances of Dagster in memory whose tables are a copy of those of one.

Dagster makes the tables of each anew, and asks for each of the thirty whether it is there. That
takes as long as a run of a step or two; SQLite copies a database in a millisecond.
"""

import sqlite3
from types import ModuleType
from typing import Any

from dagster._core.storage.event_log import in_memory as events_in_memory
from dagster._core.storage.runs import in_memory as runs_in_memory
from sqlalchemy import Connection


class CopiedTables:
    """Stands in for Dagster's description of its tables.

    Args:
        made: A storage that has them.
    """

    def __init__(self, made: Any) -> None:
        # Instances are made in threads, too.
        self._made = sqlite3.connect(":memory:", check_same_thread=False)
        _driver(made._held_conn).backup(self._made)
        made.dispose()

    def create_all(self, connection: Connection) -> None:
        """Makes the tables in an empty database, marked as those of the newest migration."""
        self._made.backup(_driver(connection))


def copy_tables() -> None:
    """Has this process copy the tables of Dagster in memory."""
    _copy(runs_in_memory, "RunStorageSqlMetadata", runs_in_memory.InMemoryRunStorage())
    events = events_in_memory.InMemoryEventLogStorage()
    _copy(events_in_memory, "SqlEventLogStorageMetadata", events)


def _copy(module: ModuleType, description: str, made: Any) -> None:
    setattr(module, description, CopiedTables(made))
    module.stamp_alembic_rev = _is_marked  # type: ignore[attr-defined]


def _is_marked(*_: object) -> None:
    """Does nothing: a copy is marked as what it was copied from."""


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver

"""Instances of Dagster in memory whose tables are a copy of those that this process made once.

Dagster makes the tables of each instance anew, and asks for each of the thirty whether it is there.
That takes longer than a run of some steps; SQLite copies a database in a millisecond.
"""

import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final
from uuid import uuid4

import dagster as dg
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool

from dagster_pgflow.in_process.compat import (
    DefaultRunCoordinator,
    InMemoryEventLogStorage,
    InMemoryRunStorage,
    InstanceType,
    NoOpComputeLogManager,
    SyncInMemoryRunLauncher,
    TemporaryLocalArtifactStorage,
    create_in_memory_conn_string,
)

Storage = type[InMemoryRunStorage] | type[InMemoryEventLogStorage]

_COPYING: Final = threading.Lock()
"""Instances are made in threads, too, and all of them copy the same two databases."""


class RunsInMemory(InMemoryRunStorage):
    """Dagster's storage of runs in memory, with copied tables."""

    def __init__(self) -> None:
        self._engine, self._held_conn = _copy_of(InMemoryRunStorage)


class EventsInMemory(InMemoryEventLogStorage):
    """Dagster's storage of events in memory, with copied tables."""

    def __init__(self) -> None:
        self._inst_data = None
        self._handlers = defaultdict(set)
        self._storage_id = 0
        self._db_lock = threading.Lock()
        self._engine, self._held_conn = _copy_of(InMemoryEventLogStorage)


@contextmanager
def instance_in_memory() -> Iterator[dg.DagsterInstance]:
    """Give an instance that nobody else has, as `DagsterInstance.ephemeral()` makes it."""
    with dg.DagsterInstance(
        instance_type=InstanceType.EPHEMERAL,
        local_artifact_storage=TemporaryLocalArtifactStorage(),  # type: ignore[no-untyped-call]
        run_storage=RunsInMemory(),
        event_storage=EventsInMemory(),
        compute_log_manager=NoOpComputeLogManager(),
        run_coordinator=DefaultRunCoordinator(),
        run_launcher=SyncInMemoryRunLauncher(),
    ) as instance:
        yield instance


def _copy_of(storage: Storage) -> tuple[Engine, Connection]:
    """Return a database of its own, and the connection that keeps it while it is held."""
    url = create_in_memory_conn_string(f"copy-{uuid4()}")
    engine = create_engine(url, poolclass=NullPool)
    held = engine.connect()
    with _COPYING:
        _made(storage).backup(_driver(held))
    return engine, held


@cache
def _made(storage: Storage) -> sqlite3.Connection:
    """Return a database with the tables of a storage, marked as those of the newest migration."""
    made: Any = storage()
    tables = sqlite3.connect(":memory:", check_same_thread=False)
    _driver(made._held_conn).backup(tables)  # noqa: SLF001  no other connection holds them
    made.dispose()
    return tables


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101
    return driver

"""Instances of Dagster in memory whose tables are a copy of those that this process made once.

Dagster makes the tables of each instance anew, and asks for each of the thirty whether it is there.
That takes longer than a run of some steps; SQLite copies a database in a millisecond. It also opens
the database for each question, and builds a statement for each event, which is half of what such a
run takes: here connections stay open, and an event is one INSERT. What is stored is the same. That
is so in the versions of Dagster that this was tried with; with any other one Dagster does it all.
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
from sqlalchemy.event import listen
from sqlalchemy.pool import QueuePool

from dagster_pgflow.in_process.compat import (
    ASSET_CHECK_EVENTS,
    ASSET_EVENTS,
    DefaultRunCoordinator,
    InMemoryEventLogStorage,
    InMemoryRunStorage,
    InstanceType,
    NoOpComputeLogManager,
    SqlEventLogStorage,
    SyncInMemoryRunLauncher,
    TemporaryLocalArtifactStorage,
    create_in_memory_conn_string,
)

Storage = type[InMemoryRunStorage] | type[InMemoryEventLogStorage]

TRIED: Final = "1.13."
"""The versions of Dagster whose storages are known to be made as they are here."""

_OF_ASSETS: Final = ASSET_EVENTS | ASSET_CHECK_EVENTS
_TIME: Final = "%Y-%m-%d %H:%M:%S.%f"
"""How SQLAlchemy writes a time to SQLite."""

_INSERT: Final = """
    insert into event_logs
      (run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition)
    values
      (:run_id, :event, :dagster_event_type, :timestamp, :step_key, :asset_key, :partition)
"""

_KEPT_OPEN: Final = 2
"""How many connections a storage keeps; more are opened while threads ask at once."""

_COPYING: Final = threading.Lock()
"""Instances are made in threads, too, and all of them copy the same two databases."""


class RunsInMemory(InMemoryRunStorage):
    """Dagster's storage of runs in memory, with copied tables."""

    def __init__(self) -> None:
        self._engine, self._held_conn = _copy_of(InMemoryRunStorage)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Give a connection with a transaction, as Dagster does, but one that was open before."""
        with self._engine.begin() as connection:
            yield connection


class _EventsAsRows(SqlEventLogStorage):
    """Stands behind Dagster's storage of events in memory, which tells those who watch."""

    _db_lock: threading.Lock
    _held_conn: Connection

    def store_event(self, event: dg.EventLogEntry) -> None:
        """Store an event; one of an asset has rows in other tables too, which Dagster writes."""
        if event.dagster_event_type in _OF_ASSETS:
            super().store_event(event)
            return
        row = self._event_to_row(event)
        row["timestamp"] = row["timestamp"].strftime(_TIME)
        with self._db_lock:
            driver = _driver(self._held_conn)
            driver.execute(_INSERT, row)
            driver.commit()


class EventsInMemory(InMemoryEventLogStorage, _EventsAsRows):
    """Dagster's storage of events in memory, with copied tables."""

    def __init__(self) -> None:
        self._inst_data = None
        self._handlers = defaultdict(set)
        self._storage_id = 0
        self._db_lock = threading.Lock()
        self._engine, self._held_conn = _copy_of(InMemoryEventLogStorage)

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with self._db_lock, self._engine.begin() as connection:
            yield connection


@contextmanager
def instance_in_memory() -> Iterator[dg.DagsterInstance]:
    """Give an instance that nobody else has, as `DagsterInstance.ephemeral()` makes it."""
    if not dg.__version__.startswith(TRIED):
        with dg.DagsterInstance.ephemeral() as instance:
            yield instance
        return
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
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=_KEPT_OPEN,
        max_overflow=-1,
        # One thread after another has a connection: the pool sees to that, or the lock of events.
        connect_args={"check_same_thread": False},
    )
    listen(engine, "connect", _prepare)
    held = engine.connect()
    with _COPYING:
        _made(storage).backup(_driver(held))
    return engine, held


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("pragma foreign_keys = on")


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

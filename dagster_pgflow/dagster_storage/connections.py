"""The connections that the parts of one storage share, and the events that wait for them."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

import sqlalchemy as db

from dagster_pgflow.dagster_storage.buffer import BatchLimits, EventBuffer
from dagster_pgflow.dagster_storage.compat import create_pg_connection, create_pg_engine
from dagster_pgflow.dagster_storage.config import StorageAddress
from dagster_pgflow.dagster_storage.forks import look_after, the_one_for
from dagster_pgflow.dagster_storage.writer import BatchWriter

KEPT_OPEN: Final = 2
"""How many connections stay open while they are used again and again."""


class SharedConnections:
    """A small pool, and the buffer whose events are written before anything else is said.

    Threads that need more connections open more, as with dagster-postgres, and close them at once:
    a bound could hold a thread up that has one connection and asks for the next. A connection that
    was cut is noticed before it is used. Those that nobody uses for a minute are closed.

    Args:
        address: Where the database is.
        limits: When events are written.

    Attributes:
        engine: What connects.
        buffer: The events that wait.
    """

    def __init__(self, address: StorageAddress, limits: BatchLimits) -> None:
        self.engine = create_pg_engine(
            address.url,
            address.token_provider,
            isolation_level="AUTOCOMMIT",
            pool_size=KEPT_OPEN,
            max_overflow=-1,
            pool_pre_ping=True,
        )
        writer = BatchWriter(lambda: create_pg_connection(self.engine))
        self.buffer = EventBuffer(writer.write, limits, self.engine.dispose)

    def flush(self) -> None:
        """Stores the events that wait."""
        self.buffer.flush()

    def flush_at_last(self) -> None:
        """Stores the events that wait, and says so when it cannot."""
        self.buffer.flush_at_last()

    def connect(self, engine: db.Engine | None = None) -> AbstractContextManager[db.Connection]:
        """Returns a connection on which everything shows that was stored in this process.

        Args:
            engine: Another one of the same database, where Dagster has made one of its own.
        """
        return self._connected(engine or self.engine)

    def rest(self) -> None:
        """Writes what waits, closes what is open, and ends the thread; all come back with use."""
        self.buffer.flush()
        self.close()

    def close(self) -> None:
        """Closes what is open, and ends the thread; both come back with use."""
        self.buffer.background.stop()
        self.engine.dispose()

    def begin_anew(self) -> None:
        """Leaves events and connections to the process that this one was forked from."""
        self.engine.dispose(close=False)
        self.buffer.begin_anew()

    @contextmanager
    def _connected(self, engine: db.Engine) -> Iterator[db.Connection]:
        self.buffer.flush()
        if engine is self.engine:
            self.buffer.background.in_use()
        with create_pg_connection(engine) as connection:
            yield connection


def connections_to(address: StorageAddress, limits: BatchLimits) -> SharedConnections:
    """Returns the connections of this process to a database, and its buffer for it.

    All instances of one process share them. Many make an instance wherever they need one, and do
    not dispose of it; and what one of them has stored, the others have to find.
    """
    if address.token_provider is None:
        return the_one_for((address.url, limits), lambda: SharedConnections(address, limits))
    # What gives tokens belongs to one storage.
    made = SharedConnections(address, limits)
    look_after(made)
    return made

"""The connections of a process to one database, and what a lost one means for what it did."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import psycopg2.extensions
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from dagster_pgflow.errors import StoreUnreachable
from dagster_pgflow.json_values.text import read_own_json
from dagster_pgflow.store.address import Address
from dagster_pgflow.store.failures import in_doubt, of_driver, translated

RECYCLE_AFTER_S = 600

_DEFAULTS = {
    "application_name": "dagster_pgflow",
    "client_encoding": "utf8",
    "connect_timeout": 10,
    # A machine that vanishes sends nothing: without these a process would wait hours for it.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}


class Connections:
    """A pool of connections, which threads may share and which survives a fork.

    It opens none before the first transaction, and looks at each that it hands out again: one that
    the server has ended meanwhile is replaced.

    Args:
        pool_size: Connections that stay open.
        max_overflow: Connections that may be opened beyond these when all are in use.
    """

    def __init__(self, address: Address, pool_size: int, max_overflow: int) -> None:
        self._address = address
        self._engine = self._create_engine(pool_size, max_overflow)
        self._process_id = os.getpid()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Open a transaction; it commits at the end of the block and rolls back on an error.

        Raises:
            StoreError: PostgreSQL cannot be reached or says no.
        """
        self._leave_connections_of_parent_process()
        is_committing = False
        try:
            with self._engine.begin() as connection:
                yield connection
                is_committing = True
        except DBAPIError as error:
            raised = translated(error, self._address)
            raise (in_doubt(raised, self._address) if is_committing else raised) from error
        except PoolTimeout as error:
            raise StoreUnreachable(
                f"All connections of this process to {self._address.shown} are in use; try again.",
                "busy",
            ) from error

    def close(self) -> None:
        """Close all that are not in use."""
        self._engine.dispose()

    def _create_engine(self, pool_size: int, max_overflow: int) -> Engine:
        return create_engine(
            "postgresql+psycopg2://",
            creator=lambda: _connect(self._address),
            # Ours are written for it, with locks of their own; a database may have another default.
            isolation_level="READ COMMITTED",
            # A value that a JSON reader cannot take gets a sentence of ours.
            json_deserializer=lambda text: read_own_json(text, "A JSON value of the database"),
            pool_size=pool_size,
            max_overflow=max_overflow,
            pool_pre_ping=True,
            pool_recycle=RECYCLE_AFTER_S,
            hide_parameters=True,
        )

    def _leave_connections_of_parent_process(self) -> None:
        # A forked process must not speak on its parent's sockets, nor close them.
        if self._process_id != os.getpid():
            self._engine.dispose(close=False)
            self._process_id = os.getpid()


def open_connection(address: Address) -> Any:
    """Return a connection of the driver that belongs to no pool.

    Raises:
        StoreError: The database does not answer, or lets nobody in.
    """
    try:
        return _connect(address)
    except psycopg2.Error as error:
        raise of_driver(error, address, was_connected=False) from error


def _connect(address: Address) -> Any:
    given = psycopg2.extensions.parse_dsn(address.dsn)
    defaults = {name: value for name, value in _DEFAULTS.items() if name not in given}
    return psycopg2.connect(address.dsn, **defaults)

"""Says why a definition does not go on: another transaction is open, and which one that is.

PostgreSQL itself warns of it, but the driver hands warnings out only when the statement has ended.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection

from dagster_pgflow.errors import StoreError
from dagster_pgflow.store.connections import Connections
from dagster_pgflow.store.queries import named_queries

WARN_AFTER_S: Final = 1.0

_log = logging.getLogger(__name__)


@contextmanager
def logging_waits(connections: Connections) -> Iterator[Connection]:
    """Open a transaction that logs a warning about who holds it up, its commit included.

    Args:
        connections: Those of the database; a second one is used to look.

    Raises:
        StoreError: PostgreSQL cannot be reached or says no.
    """
    ended = threading.Event()
    watcher: threading.Thread | None = None
    try:
        with connections.transaction() as connection:
            pid = connection.connection.dbapi_connection.info.backend_pid  # type: ignore[union-attr]
            watcher = threading.Thread(
                target=_watch, args=(connections, pid, ended), name="pgflow-waits", daemon=True
            )
            watcher.start()
            yield connection
    finally:
        ended.set()
        if watcher is not None:
            watcher.join()


def _watch(connections: Connections, pid: int, ended: threading.Event) -> None:
    logged: str | None = None
    while not ended.wait(WARN_AFTER_S):
        try:
            with connections.transaction() as connection:
                who = connection.execute(named_queries()["fetch_who_blocks"], {"pid": pid}).scalar()
        except StoreError:
            # Whoever waits gets the error from its own statement.
            return
        if who is not None and who != logged:
            _log.warning("Waiting until another transaction has ended: %s.", who)
            logged = who

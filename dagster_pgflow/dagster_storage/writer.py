"""Writes a batch of events in one transaction, exactly once, whatever happens to the connection."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any, Final

import sqlalchemy as db
import sqlalchemy.exc

from dagster_pgflow.dagster_storage.batches import EventBatch, EventRefused, Row, SentBatch
from dagster_pgflow.dagster_storage.compat import (
    CHANNEL_NAME,
    DagsterPostgresException,
    SqlEventLogStorageTable,
)

PATIENCE: Final = 60.0
"""For how many seconds an outage is waited for before the run hears of it."""
FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 2.0

OUTAGES: Final = ("08", "25", "40", "53", "55", "57", "58")
"""Classes of SQLSTATE that say something of the moment, not of the event."""
STATEMENT_TIMEOUT: Final = "57014"

INSERT: Final = SqlEventLogStorageTable.insert().returning(
    SqlEventLogStorageTable.c.id, sort_by_parameter_order=True
)
ANNOUNCE: Final = db.text(
    "select pg_notify(:channel, payload), txid_current() "
    "from unnest(cast(:payloads as text[])) as payload"
)
STATUS: Final = db.text("select txid_status(:transaction)")

Connect = Callable[[], AbstractContextManager[db.Connection]]


class StillCommitting(Exception):
    """The server has not noticed yet that the connection of a commit is gone."""


class BatchWriter:
    """Writes batches, one at a time.

    Args:
        connect: Gives a connection in autocommit mode.
        patience: For how many seconds an outage is waited for.
    """

    def __init__(self, connect: Connect, patience: float = PATIENCE) -> None:
        self._connect = connect
        self._patience = patience
        self._away_since: float | None = None

    def write(self, batch: EventBatch) -> None:
        """Stores a batch.

        What dagster-postgres does for an event, once for all of them: the rows get ids in their
        order, and each id is announced on the same channel.

        Raises:
            EventRefused: The batch cannot be stored as it is; nothing of it is.
            Exception: The database is away for longer than is waited for; the batch may be given
                again, and will not be stored twice.
        """
        pause = FIRST_PAUSE
        while True:
            try:
                self._attempt(batch)
            except Exception as failure:
                if not _is_outage(failure):
                    raise EventRefused(failure) from failure
                if self._is_out_of_patience():
                    raise
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                self._away_since = None
                return

    def _attempt(self, batch: EventBatch) -> None:
        if batch.sent is not None:
            with self._connect() as connection:
                if has_committed(connection, batch.sent):
                    return
            batch.sent = None
        with self._connect() as connection:
            serial = connection.execution_options(isolation_level="READ COMMITTED")
            with serial.begin():
                ids = serial.execute(INSERT, [row.columns for row in batch.rows]).scalars().all()
                batch.sent = _announce(serial, batch.rows, ids)

    def _is_out_of_patience(self) -> bool:
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
        return now - self._away_since > self._patience


def _announce(connection: db.Connection, rows: Sequence[Row], ids: Sequence[int]) -> SentBatch:
    payloads = [f"{row.run_id}_{row_id}" for row, row_id in zip(rows, ids, strict=True)]
    parameters: Mapping[str, Any] = {"channel": CHANNEL_NAME, "payloads": payloads}
    transaction = connection.execute(ANNOUNCE, parameters).all()[0][1]
    row, row_id = min(zip(rows, ids, strict=True), key=lambda pair: pair[0].size)
    return SentBatch(transaction, row, row_id)


def has_committed(connection: db.Connection, sent: SentBatch) -> bool:
    """Returns whether a transaction whose commit got no answer is there.

    Its end is waited for first, since the server may still be at it. Then its row decides, and not
    its number: a server that crashed may give numbers and ids a second time, and one that took
    over from another may lack what that had.

    Raises:
        StillCommitting: Nobody knows yet.
    """
    # The number is unknown where it lies ahead of a server that crashed.
    with suppress(sqlalchemy.exc.DataError):
        status = connection.execute(STATUS, {"transaction": sent.transaction}).scalar()
        if status == "in progress":
            raise StillCommitting("The server is still at a commit of events.")
    table = SqlEventLogStorageTable.c
    stored = connection.execute(
        db.select(table.run_id, table.event).where(table.id == sent.row_id)
    ).one_or_none()
    return stored is not None and tuple(stored) == (sent.row.run_id, sent.row.columns["event"])


def _is_outage(failure: Exception) -> bool:
    match failure:
        case DagsterPostgresException() | StillCommitting() | sqlalchemy.exc.TimeoutError():
            return True
        case sqlalchemy.exc.DBAPIError() if not failure.connection_invalidated:
            code = getattr(failure.orig, "pgcode", None)
            if code is None:
                return isinstance(
                    failure, sqlalchemy.exc.OperationalError | sqlalchemy.exc.InterfaceError
                )
            return code[:2] in OUTAGES and code != STATEMENT_TIMEOUT
        case _:
            return isinstance(failure, sqlalchemy.exc.DBAPIError)

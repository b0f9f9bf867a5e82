"""The event log of dagster-postgres, whose events are written in batches."""

from contextlib import AbstractContextManager
from typing import Final

import sqlalchemy as db
from dagster import EventLogEntry
from dagster_postgres import PostgresEventLogStorage

from dagster_pgflow.dagster_storage.batches import Row
from dagster_pgflow.dagster_storage.config import StorageAddress
from dagster_pgflow.dagster_storage.connections import SharedConnections
from dagster_pgflow.dagster_storage.event_kinds import handling_of
from dagster_pgflow.dagster_storage.seen_schema import SeenSchema

OTHER_COLUMNS: Final = 200
"""About how many bytes a row has beside the event itself."""


class BufferedEventLogStorage(PostgresEventLogStorage):
    """What dagster-postgres stores, in the same rows and the same order.

    Whatever this process does in Dagster's database goes through `_connect`, of this class or
    of the two beside it, and each of these writes first what waits. So nobody in the process can
    read, or do, anything that comes before an event that it has stored.

    Args:
        address: Where the database is.
        shared: The connections and the buffer.
    """

    def __init__(self, address: StorageAddress, shared: SharedConnections) -> None:
        # For the time in which dagster-postgres makes its tables.
        self._shared = shared
        self._seen = SeenSchema()
        super().__init__(address.url, address.makes_tables, token_provider=address.token_provider)
        self._engine = shared.engine

    def store_event(self, event: EventLogEntry) -> None:
        """Stores an event, or takes it for the next batch.

        Raises:
            Exception: The database is away, or refuses this event or an earlier one of its run.
        """
        match handling_of(event):
            case "ordinary":
                buffer = self._shared.buffer
                buffer.flush()
                buffer.refusals.forget_lines(event.run_id)
                # A run whose log lacks an event does not change its status.
                buffer.refusals.raise_for_event(event.run_id)
                super().store_event(event)
            case "at_once":
                self._shared.buffer.add(self._row_of(event), at_once=True)
            case "buffered":
                self._shared.buffer.add(self._row_of(event), at_once=False)

    def has_table(self, table_name: str) -> bool:
        """Return whether a table is there."""
        ask = super().has_table
        return self._seen.has(table_name, lambda: ask(table_name))

    def rest(self) -> None:
        """Writes what waits, closes what is open, and ends the thread; all come back with use."""
        self._shared.rest()

    def dispose(self) -> None:
        """Writes what waits, and gives back connections and threads; all come back with use."""
        super().dispose()
        # Whatever else the instance has to dispose of comes behind this.
        self._shared.flush_at_last()
        self._shared.close()

    def _connect(self) -> AbstractContextManager[db.Connection]:
        return self._shared.connect(self._engine)

    def _row_of(self, event: EventLogEntry) -> Row:
        columns = self._event_to_row(event)
        size = len(columns["event"]) + OTHER_COLUMNS
        return Row(event.run_id, columns, size, is_line=not event.is_dagster_event)

"""Runs and schedules as dagster-postgres stores them, on the connections of the event log."""

from contextlib import AbstractContextManager

import sqlalchemy as db
from dagster_postgres import PostgresRunStorage, PostgresScheduleStorage

from dagster_pgflow.dagster_storage.config import StorageAddress
from dagster_pgflow.dagster_storage.connections import SharedConnections
from dagster_pgflow.dagster_storage.seen_schema import SeenSchema


class PooledRunStorage(PostgresRunStorage):
    """The runs; whoever reads or changes one has the events before that in the log.

    Args:
        address: Where the database is.
        shared: The connections and the buffer.
    """

    def __init__(self, address: StorageAddress, shared: SharedConnections) -> None:
        self._shared = shared
        self._seen = SeenSchema()
        super().__init__(address.url, address.makes_tables, token_provider=address.token_provider)
        self._engine = shared.engine

    def connect(self) -> AbstractContextManager[db.Connection]:
        """Returns a connection on which all shows that this process has stored."""
        return self._shared.connect(self._engine)

    def has_run_stats_index_cols(self) -> bool:
        """Return whether runs have their times as columns."""
        return self._seen.has("run stats", super().has_run_stats_index_cols)

    def has_bulk_actions_selector_cols(self) -> bool:
        """Return whether backfills have their selectors as columns."""
        return self._seen.has("selectors", super().has_bulk_actions_selector_cols)

    def has_backfill_id_column(self) -> bool:
        """Return whether runs have their backfill as a column."""
        return self._seen.has("backfill ids", super().has_backfill_id_column)

    def has_bulk_action_job_name_column(self) -> bool:
        """Return whether backfills have their job as a column."""
        return self._seen.has("job names", super().has_bulk_action_job_name_column)

    def has_backfill_tags_table(self) -> bool:
        """Return whether there is a table for the tags of backfills."""
        return self._seen.has("backfill tags", super().has_backfill_tags_table)


class PooledScheduleStorage(PostgresScheduleStorage):
    """Schedules, sensors and their ticks.

    Args:
        address: Where the database is.
        shared: The connections and the buffer.
    """

    def __init__(self, address: StorageAddress, shared: SharedConnections) -> None:
        self._shared = shared
        self._seen = SeenSchema()
        super().__init__(address.url, address.makes_tables, token_provider=address.token_provider)
        self._engine = shared.engine

    def connect(
        self,
        run_id: str | None = None,  # noqa: ARG002  one database has the ticks of all runs
    ) -> AbstractContextManager[db.Connection]:
        """Returns a connection on which all shows that this process has stored."""
        return self._shared.connect(self._engine)

    def has_instigators_table(self) -> bool:
        """Return whether there is a table of schedules and sensors."""
        return self._seen.has("instigators", super().has_instigators_table)

    def has_secondary_index_table(self) -> bool:
        """Return whether there is a list of the migrations that were made."""
        return self._seen.has("secondary indexes", super().has_secondary_index_table)

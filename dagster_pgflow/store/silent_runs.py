"""Runs in which nothing has happened for a while."""

from collections.abc import Sequence
from uuid import UUID

from dagster_pgflow.model.silent_run import SilentRun
from dagster_pgflow.store.database import Database


class SilentRuns:
    """Finds silent runs, and keeps which of them Dagster was asked about."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, quiet: float, limit: int, own_log: str | None) -> tuple[SilentRun, ...]:
        """Return runs under way that are silent, those first that wait longest for an answer.

        Args:
            quiet: For how many seconds nothing has happened in them, and nobody has asked.
            limit: How many at most.
            own_log: Which Dagster asks; runs stay out that another one has and looks after.
        """
        rows = self._database.fetch_all(
            "fetch_silent_runs", quiet=quiet, limit=limit, own_log=own_log
        )
        return tuple(
            SilentRun(row["dagster_run_id"], row["flow_slug"], float(row["silence"]), row["tasks"])
            for row in rows
        )

    def note_checked(self, dagster_run_ids: Sequence[UUID]) -> None:
        """Note that Dagster was asked about runs, so that it is not asked again at once."""
        self._execute("note_checked_runs", dagster_run_ids)

    def call(self, dagster_run_ids: Sequence[UUID]) -> None:
        """Have the projection look at runs next, whatever it knows of them."""
        self._execute("call_runs", dagster_run_ids)

    def _execute(self, query: str, dagster_run_ids: Sequence[UUID]) -> None:
        if dagster_run_ids:
            listed = [str(dagster_run_id) for dagster_run_id in dagster_run_ids]
            self._database.execute(query, dagster_run_ids=listed)

"""Runs that Dagster has: put on the list of those that the projection looks at."""

from collections.abc import Sequence

from dagster_pgflow.model.run_cursor import FoundRun
from dagster_pgflow.store.database import Transaction


def list_runs(transaction: Transaction, found: Sequence[FoundRun]) -> None:
    """Put runs on the list, and tell requested ones which Dagster run they became.

    Args:
        transaction: Writes it.
        found: The runs; those known and unchanged are left alone.
    """
    requested = [run for run in found if run.requested_as is not None]
    if requested:
        transaction.execute(
            "bind_requested_runs",
            dagster_run_ids=[str(run.dagster_run_id) for run in requested],
            run_ids=[str(run.requested_as) for run in requested],
        )
    if found:
        transaction.execute(
            "register_runs",
            dagster_run_ids=[str(run.dagster_run_id) for run in found],
            changed_at=[run.changed_at for run in found],
            continues=[run.continues and str(run.continues) for run in found],
            logs=[run.log for run in found],
        )
    for log in {run.log for run in found} - {None}:
        transaction.execute("see_log", log=log)

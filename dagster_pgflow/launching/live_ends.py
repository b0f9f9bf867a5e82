"""The end of a run that a live worker has, asked for by somebody else."""

from uuid import UUID

import dagster as dg

from dagster_pgflow.store.live_runs import LiveRuns


def ask_live_run_to_end(
    instance: dg.DagsterInstance, live_runs: LiveRuns, run: dg.DagsterRun
) -> bool:
    """Mark a run that a live worker has as being cancelled, and have the worker look at once.

    Args:
        instance: The Dagster instance.
        live_runs: The live workers of the store, and their runs.
        run: The run.

    Returns:
        Whether a live worker has it, or shall take it.

    Raises:
        StoreError: The store does not answer.
    """
    run_id = UUID(run.run_id)
    if live_runs.is_taken(run_id) is None:
        return False
    # First: the worker ends the run, and a mark that came after the end would stay.
    if run.status is not dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceling(run)
    live_runs.ask_to_end(run_id)
    return True

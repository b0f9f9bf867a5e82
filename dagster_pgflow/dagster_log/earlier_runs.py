"""What a run did, and those that it goes on with: what a further run has to know of them."""

from typing import Final

import dagster as dg

from dagster_pgflow.dagster_log.event_pages import records_of
from dagster_pgflow.dagster_log.records import read_events
from dagster_pgflow.dagster_log.run_events import EarlierRun
from dagster_pgflow.errors import ResumptionRefused

_READ: Final = (
    dg.DagsterEventType.STEP_START,
    dg.DagsterEventType.STEP_RESTARTED,
    dg.DagsterEventType.STEP_OUTPUT,
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.STEP_FAILURE,
)


def earlier_runs(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[EarlierRun]:
    """Return a run behind those that it goes on with, oldest first.

    One that executes all steps goes on with none.

    Args:
        instance: The Dagster instance.
        run: The run; it is over.

    Raises:
        ResumptionRefused: A run that it goes on with was deleted.
    """
    runs = [run]
    while run.parent_run_id is not None and run.step_keys_to_execute is not None:
        before = instance.get_run_by_id(run.parent_run_id)
        if before is None:
            raise ResumptionRefused(
                f"Run {run.run_id} continues run {run.parent_run_id}, which was deleted in"
                " Dagster, so nobody knows which steps are done; start a new run."
            )
        run = before
        runs.insert(0, run)
    return [
        EarlierRun(
            one.run_id,
            None if number == 0 else frozenset(one.step_keys_to_execute or ()),
            list(read_events(records_of(instance, one.run_id, _READ)[0])),
        )
        for number, one in enumerate(runs)
    ]

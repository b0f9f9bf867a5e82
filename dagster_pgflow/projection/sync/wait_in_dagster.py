"""Says in Dagster that a run waits whose Dagster run has ended well: a tag, and an event.

Dagster calls such a run a success, and so it is: what is left is for a further one.
"""

from collections.abc import Sequence
from typing import Final

import dagster as dg

from dagster_pgflow.compat import EngineEventData
from dagster_pgflow.dagster_log.event_pages import has_engine_event
from dagster_pgflow.model.run_state import StepRow
from dagster_pgflow.names import TAG_WAITING, WAITING_KEY

NO_MORE: Final = "no more"
"""What the tag says of a Dagster run whose run has gone on: Dagster takes no tag away."""

_LONGEST: Final = 60


def show_going_on(instance: dg.DagsterInstance, runs: Sequence[dg.DagsterRun]) -> None:
    """Say of Dagster runs that nothing waits any more, where they say that something does.

    One that somebody launched from the page of a run that waits has its tag as well.

    Args:
        instance: The Dagster instance.
        runs: The Dagster runs of a run that does not wait.
    """
    for run in runs:
        if run.tags.get(TAG_WAITING, NO_MORE) != NO_MORE:
            instance.add_run_tags(run.run_id, {TAG_WAITING: NO_MORE})


def show_wait(instance: dg.DagsterInstance, run: dg.DagsterRun, steps: Sequence[StepRow]) -> None:
    """Write what a run waits for into the log of its newest Dagster run, unless it stands there.

    Args:
        instance: The Dagster instance.
        run: The Dagster run, which has ended.
        steps: All steps of the run.
    """
    waiting = [step for step in steps if step.waiting_for is not None]
    if not waiting or has_engine_event(instance, run.run_id, WAITING_KEY):
        return
    shown = [
        dg.TableRecord({"step": step.step_path, "waits for": step.waiting_for or ""})
        for step in waiting
    ]
    instance.add_run_tags(run.run_id, {TAG_WAITING: _shown_in_list(waiting)})
    several = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
    waits = f"{waiting[0].step_path}{several} {'wait' if several else 'waits'}"
    instance.report_engine_event(
        f"The run is not over: {waits}. It goes on in a further run when that has come.",
        run,
        EngineEventData(metadata={WAITING_KEY: dg.MetadataValue.table(shown)}),
    )


def _shown_in_list(waiting: Sequence[StepRow]) -> str:
    """Return which steps wait, as short as the list of runs has room for."""
    first = waiting[0].step_path
    named = first if len(first) <= _LONGEST else f"{first[: _LONGEST - 2]} …"
    return f"{named} and {len(waiting) - 1} more" if len(waiting) > 1 else named

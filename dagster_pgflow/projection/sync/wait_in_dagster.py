"""Says in Dagster that a run waits whose Dagster run has ended well: one event in its log.

Dagster calls such a run a success, and so it is: what is left is for a further one.
"""

from collections.abc import Sequence

import dagster as dg

from dagster_pgflow.compat import EngineEventData
from dagster_pgflow.dagster_log.event_pages import has_engine_event
from dagster_pgflow.model.run_state import StepRow
from dagster_pgflow.names import WAITING_KEY


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
    several = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
    waits = f"{waiting[0].step_path}{several} {'wait' if several else 'waits'}"
    instance.report_engine_event(
        f"The run is not over: {waits}. It goes on in a further run when that has come.",
        run,
        EngineEventData(metadata={WAITING_KEY: dg.MetadataValue.table(shown)}),
    )

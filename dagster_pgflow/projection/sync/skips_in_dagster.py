"""Shows in Dagster that steps did not run whose ops Dagster takes for a success.

The event is the one that Dagster itself writes of an op that it skips. It stands behind the op's
own end, so Dagster counts the op as skipped from then on, and no more among those that succeeded.
What an op has sent counts as before.
"""

from collections.abc import Sequence
from typing import Final, assert_never

import dagster as dg

from dagster_pgflow.dagster_log.unshown_skips import UnshownSkip
from dagster_pgflow.reports.report import StepCancelled, StepSkipped
from dagster_pgflow.reports.told import cancel_told, skip_told

SHOWN_AT_ONCE: Final = 1000
"""How many events one look at a run adds; the others are left to the next one."""


def show_skips(instance: dg.DagsterInstance, skips: Sequence[UnshownSkip]) -> None:
    """Write into the logs of Dagster runs which of their ops only found out that nothing is to do.

    Args:
        instance: The Dagster instance.
        skips: The ops.
    """
    for skip in skips[:SHOWN_AT_ONCE]:
        event = skip.success._replace(
            event_type_value=dg.DagsterEventType.STEP_SKIPPED.value,
            event_specific_data=None,
            message=_sentence(skip.report),
        )
        # At the time of the op's end: Dagster takes it for that.
        instance.report_dagster_event(event, skip.run_id, timestamp=skip.at)


def _sentence(report: StepSkipped | StepCancelled) -> str:
    match report:
        case StepSkipped():
            return skip_told(report.step, report.skip_reason, report.skipped_step, report.why)
        case StepCancelled():
            return cancel_told(report.step, report.failed_subflow)
        case _:
            assert_never(report)

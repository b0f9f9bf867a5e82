"""Which failures in Dagster's log say nothing of the flow: a process is gone, the store was away.

A run goes on by itself after those, and after no other.
"""

from typing import Final

import dagster as dg

from dagster_pgflow.reports.report import StepFailed

_CRASH: Final = "ChildProcessCrashException"
"""What Dagster's multiprocess executor says when the process of a step is gone."""

_MAX_RETRIES_TAG: Final = "dagster/max_retries"

_OF_NO_FLOW: Final = (
    "UNEXPECTED_TERMINATION",
    "RUN_EXCEPTION",
    "START_TIMEOUT",
    "RUN_WORKER_RESTART",
)
"""Why a run failed, in Dagster's words: neither a step of it did, nor could it not be set up."""


def is_process_lost(failure: dg.DagsterEvent, report: StepFailed | None) -> bool:
    """Return whether a step failed for want of its process, or of the store.

    Args:
        failure: Its failure.
        report: What its op said of that, if it could.
    """
    if report is not None:
        return report.cause == "store"
    error = failure.step_failure_data.error
    # An executor whose workers are elsewhere says of one that is gone only that it failed.
    return error is None or error.cls_name == _CRASH


def is_retried_by_dagster(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Return whether Dagster itself starts another run when this one fails.

    Two ways of going on would do everything twice, and this one somebody has asked for.

    Args:
        instance: The Dagster instance.
        run: The run.
    """
    if not instance.run_retries_enabled:
        return False
    asked = run.tags.get(_MAX_RETRIES_TAG, str(instance.run_retries_max_retries))
    return asked.strip() not in ("", "0")


def is_run_lost(failure: dg.DagsterEvent) -> bool:
    """Return whether a run failed for want of its process, as far as its end says.

    Whoever ends a run from outside, since nobody executes it any more, gives no data.

    Args:
        failure: The end of the run.
    """
    data = failure.event_specific_data
    reason = getattr(data, "failure_reason", None)
    return data is None or getattr(reason, "value", None) in _OF_NO_FLOW

"""Ops that found out that their step does not run, and that Dagster still shows as a success.

Such an op starts, looks at what arrived, reports that its step is skipped, or cancelled, and hands
that on: to Dagster a success. An event behind it says what it was.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import dagster as dg

from dagster_pgflow.dagster_log.run_events import RunEvent
from dagster_pgflow.dagster_log.step_keys import node_and_index
from dagster_pgflow.names import FAN_OUT_SUFFIX
from dagster_pgflow.reports.report import StepCancelled, StepSkipped


@dataclass(frozen=True)
class UnshownSkip:
    """An op that is done and whose step did not run.

    Attributes:
        report: What it reported.
        run_id: Its Dagster run.
        success: What Dagster says of its end.
        at: When that was, in seconds since the epoch.
    """

    report: StepSkipped | StepCancelled
    run_id: str
    success: dg.DagsterEvent = field(repr=False)
    at: float


def unshown_skips(
    run_events: Iterable[RunEvent], records: Iterable[dg.EventLogRecord]
) -> Sequence[UnshownSkip]:
    """Return the ops of a Dagster run that do not look skipped yet, in the order of their ends.

    Args:
        run_events: What Dagster saw of it.
        records: The same as records.
    """
    reports = {
        run_event.step_key: run_event.report
        for run_event in run_events
        if isinstance(run_event.report, StepSkipped | StepCancelled)
        and run_event.kind == "succeeded"
        and not _sent_nothing_out(run_event)
    }
    if not reports:
        return ()
    found: dict[str, UnshownSkip] = {}
    for record in records:
        entry = record.event_log_entry
        key, event = entry.step_key, entry.dagster_event
        if event is None or key not in reports:
            continue
        if event.event_type is dg.DagsterEventType.STEP_SUCCESS:
            found[key] = UnshownSkip(reports[key], entry.run_id, event, entry.timestamp)
        elif event.event_type is dg.DagsterEventType.STEP_SKIPPED:
            found.pop(key, None)
    return tuple(found.values())


def _sent_nothing_out(run_event: RunEvent) -> bool:
    """Return whether an op is there to send out the parts of a list, and there are none.

    To a run that re-executes this one Dagster would say that it is not known how many there are.
    """
    node, _ = node_and_index(run_event.step_key)
    parts = [sent for sent in run_event.sent if sent.mapping_key is not None]
    return node.endswith(FAN_OUT_SUFFIX) and not parts

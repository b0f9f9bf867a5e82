"""From the records of a run in Dagster's event log to run events: the one place that does it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from typing import Any, Final, assert_never
from uuid import UUID

import dagster as dg

from dagster_pgflow.dagster_log.changed_runs import requested_run_id
from dagster_pgflow.dagster_log.losses import is_process_lost, is_run_lost
from dagster_pgflow.dagster_log.op_reports import Cleaned, report_in, unchanged
from dagster_pgflow.dagster_log.run_events import (
    RunEnding,
    RunEvent,
    RunEventKind,
    RunFacts,
    Sent,
    moment,
)
from dagster_pgflow.dagster_log.statuses import ending_of
from dagster_pgflow.errors import PgflowError
from dagster_pgflow.json_values.limits import problem_of
from dagster_pgflow.json_values.sealed import unseal
from dagster_pgflow.json_values.storable import storable
from dagster_pgflow.model.defaults import UNASKED
from dagster_pgflow.names import (
    FLOW_INPUT,
    REQUESTED_INPUT_KEY,
    RESULT_OUTPUT,
    TAG_FLOW,
    TAG_MAX_RECOVERIES,
    TAG_WATERMARK,
    own_tag,
)
from dagster_pgflow.reports.report import ChildRunStarted, StepEnd, StepFailed, StepPause
from dagster_pgflow.step_errors import ValueNotJson

_KINDS: Final[Mapping[dg.DagsterEventType, RunEventKind]] = {
    dg.DagsterEventType.RUN_START: "run_started",
    dg.DagsterEventType.RUN_SUCCESS: "run_completed",
    dg.DagsterEventType.RUN_FAILURE: "run_failed",
    dg.DagsterEventType.RUN_CANCELED: "run_cancelled",
    dg.DagsterEventType.STEP_START: "started",
    dg.DagsterEventType.STEP_RESTARTED: "started",
    dg.DagsterEventType.STEP_UP_FOR_RETRY: "retrying",
    dg.DagsterEventType.STEP_SUCCESS: "succeeded",
    dg.DagsterEventType.STEP_FAILURE: "failed",
    dg.DagsterEventType.STEP_SKIPPED: "skipped",
}
EVENT_TYPES: Final = frozenset(
    {
        *_KINDS,
        dg.DagsterEventType.STEP_OUTPUT,
        dg.DagsterEventType.ENGINE_EVENT,
        dg.DagsterEventType.RUN_ENQUEUED,
        dg.DagsterEventType.RUN_STARTING,
        dg.DagsterEventType.RUN_CANCELING,
    }
)
"""The Dagster events that say how far a run is."""

_ENDS: Final[Mapping[RunEnding, RunEventKind]] = {
    "completed": "run_completed",
    "failed": "run_failed",
    "cancelled": "run_cancelled",
}

_NO_REASON: Final = "This run has been marked as failed from outside"
"""What Dagster 1.13 says where the reason stands in an event before."""

_DIGITS_OF_COUNT: Final = 10

_INTERRUPTS: Final = ("DagsterExecutionInterruptedError", "KeyboardInterrupt")


class UnreadableRun(PgflowError):
    """A run in Dagster that carries our tags but cannot be made sense of."""


def facts_of(
    record: dg.RunRecord, events: Sequence[dg.EventLogRecord], pinned: Mapping[str, str]
) -> RunFacts:
    """Return the facts of a run; `retry_of` is filled in by who knows the other runs.

    Args:
        record: The run.
        events: Its events so far, of the types `EVENT_TYPES`.
        pinned: The tags of the job that it executes, which say what definitions those are.

    Raises:
        UnreadableRun: A tag of ours is missing or makes no sense.
    """
    run = record.dagster_run
    dagster_run_id = UUID(run.run_id)
    requested = None if run.parent_run_id else requested_run_id(run)
    watermark = own_tag(pinned, TAG_WATERMARK) or ""
    if TAG_FLOW not in pinned or not watermark.isdecimal():
        raise UnreadableRun(
            f"Dagster run {run.run_id} has no usable tags {TAG_FLOW} and {TAG_WATERMARK}."
        )
    # With a PostgreSQL whose time zone is not UTC, create_timestamp is off by its offset
    # (Dagster 1.13); the times of events are not.
    created_at = moment(events[0].timestamp) if events else record.create_timestamp.astimezone(UTC)
    return RunFacts(
        run_id=requested or dagster_run_id,
        dagster_run_id=dagster_run_id,
        flow_slug=pinned[TAG_FLOW],
        watermark=int(watermark),
        input=_input_in(run.run_config),
        created_at=created_at,
        input_of=_request_in(run.run_config),
        max_recoveries=_count_in(own_tag(pinned, TAG_MAX_RECOVERIES) or ""),
    )


def _count_in(tag: str) -> int:
    return int(tag) if tag.isdecimal() and len(tag) < _DIGITS_OF_COUNT else 0


def _input_in(config: Mapping[str, Any]) -> Any:
    """Return the input of a run; null for what is beyond the limits: the run itself fails at it."""
    inputs = config.get("inputs") or {}
    if FLOW_INPUT not in inputs:
        return UNASKED
    try:
        given = unseal(inputs[FLOW_INPUT])
    except ValueNotJson:
        return None
    return None if problem_of(given) else storable(given)


def _request_in(config: Mapping[str, Any]) -> str | None:
    """Return the request that has the input of a run, where it is too large for run config."""
    sent = (config.get("inputs") or {}).get(FLOW_INPUT)
    if isinstance(sent, dict) and list(sent) == [REQUESTED_INPUT_KEY]:
        return str(sent[REQUESTED_INPUT_KEY])
    return None


def run_events_of(record: dg.RunRecord, events: Iterable[dg.EventLogRecord]) -> list[RunEvent]:
    """Return what Dagster saw of a run, in the order of its event log.

    Args:
        record: The run.
        events: Its events of the types `EVENT_TYPES`.
    """
    # PostgreSQL has to hold what the ops reported.
    seen = list(read_events(events, storable))
    ending = ending_of(record.dagster_run.status)
    kind = None if ending is None else _ENDS[ending]
    ends = [run_event for run_event in seen if run_event.kind in _ENDS.values()]
    # A worker may outlive its run and go on to write. Dagster's word on how the run ended holds,
    # and what the steps did all the same comes before it.
    counting = [run_event for run_event in ends if run_event.kind == kind] or ends
    if not counting and kind is not None:
        at = record.end_time or record.update_timestamp.timestamp()
        counting = [RunEvent(0, moment(at), kind)]
    return [run_event for run_event in seen if run_event not in ends] + counting[-1:]


def read_events(
    events: Iterable[dg.EventLogRecord], cleaned: Cleaned = unchanged
) -> Iterator[RunEvent]:
    """Yield what Dagster saw, in the order of its event log.

    Args:
        events: The records; those of types that nobody asks for may be missing.
        cleaned: What the JSON of reports is changed to before it is read.

    Raises:
        UnreadableReport: What an op reported makes no sense.
    """
    reading = _LogReading(cleaned)
    for record in events:
        event = record.event_log_entry.dagster_event
        if event is None:
            continue
        match event.event_type:
            case dg.DagsterEventType.STEP_OUTPUT:
                reading.note_output(event)
            case dg.DagsterEventType.ENGINE_EVENT:
                yield from reading.engine_event(record, event)
            case _:
                yield from reading.other_event(record, event)


class _LogReading:
    """What one event says and a later one needs."""

    def __init__(self, cleaned: Cleaned) -> None:
        self._cleaned = cleaned
        self._reports: dict[str, StepEnd | StepPause] = {}
        self._sent: dict[str, list[Sent]] = {}
        self._succeeded: set[str] = set()
        self._engine_says = ""
        self._was_told_to_end = False

    def note_output(self, event: dg.DagsterEvent) -> None:
        """Keep what a step sends: only STEP_SUCCESS says that the value is stored, too."""
        key, output = event.step_key or "", event.step_output_data
        self._sent.setdefault(key, []).append(Sent(output.output_name, output.mapping_key))
        if output.output_name != RESULT_OUTPUT:
            return
        report = report_in(output.metadata, self._cleaned)
        if isinstance(report, StepEnd | StepPause):
            self._reports[key] = report

    def engine_event(self, record: dg.EventLogRecord, event: dg.DagsterEvent) -> Iterator[RunEvent]:
        """Yield what a step reports of an attempt that another one follows, or of a child run."""
        report = report_in(event.engine_event_data.metadata, self._cleaned)
        if report is None:
            self._engine_says = _message_of(event)
            return
        kind: RunEventKind = "child_run" if isinstance(report, ChildRunStarted) else "reported"
        at = moment(record.event_log_entry.timestamp)
        yield RunEvent(record.storage_id, at, kind, event.step_key or "", report)

    def other_event(self, record: dg.EventLogRecord, event: dg.DagsterEvent) -> Iterator[RunEvent]:
        """Yield what Dagster says of a step or of the run."""
        if event.event_type is dg.DagsterEventType.RUN_CANCELING:
            self._was_told_to_end = True
        kind = _KINDS.get(event.event_type)
        if kind is None or (kind == "failed" and _is_interrupt(event)):
            return
        if kind == "skipped" and event.step_key in self._succeeded:
            # Only shows what the op had reported before.
            return
        at = moment(record.event_log_entry.timestamp)
        yield self._with_details(RunEvent(record.storage_id, at, kind, event.step_key or ""), event)

    def _with_details(self, bare: RunEvent, event: dg.DagsterEvent) -> RunEvent:
        match bare.kind:
            case "started":
                # What was sent before a step began anew does not count.
                self._sent.pop(bare.step_key, None)
                self._succeeded.discard(bare.step_key)
                return replace(bare, pid=event.pid)
            case "succeeded":
                self._succeeded.add(bare.step_key)
                sent = tuple(dict.fromkeys(self._sent.pop(bare.step_key, ())))
                return replace(bare, report=self._reports.pop(bare.step_key, None), sent=sent)
            case "retrying":
                retry = event.step_retry_data
                return replace(bare, error=_innermost(retry.error), delay=retry.seconds_to_wait)
            case "failed":
                report = failure_report(event, self._cleaned)
                error = (report.error if report else None) or error_in(event)
                lost = is_process_lost(event, report)
                return replace(bare, report=report, error=storable(error), process_lost=lost)
            case "run_failed":
                error = storable(self._error_of_run(event))
                # Somebody wanted it to end, or it took longer than Dagster lets it.
                lost = is_run_lost(event) and not self._was_told_to_end
                return replace(bare, error=error, process_lost=lost)
            case "run_started" | "run_completed" | "run_cancelled" | "skipped":
                return bare
            case "reported" | "child_run" | "reused":
                raise AssertionError(bare.kind)  # No event of Dagster's is one of these alone.
            case _:
                assert_never(bare.kind)

    def _error_of_run(self, event: dg.DagsterEvent) -> str:
        # There is no such data when the run was never launched.
        cause = _innermost(getattr(event.event_specific_data, "error", None))
        error = " ".join(part for part in (event.message, cause) if part)
        return f"{error} {self._engine_says}".strip() if error.startswith(_NO_REASON) else error


def failure_report(failure: dg.DagsterEvent, cleaned: Cleaned = unchanged) -> StepFailed | None:
    """Return what an op reported of its failure; `None` when it could not.

    Args:
        failure: The failure of the op; from a log, or as it happens.
        cleaned: What the JSON of the report is changed to before it is read.
    """
    by_op = failure.step_failure_data.user_failure_data
    report = None if by_op is None else report_in(by_op.metadata, cleaned)
    return report if isinstance(report, StepFailed) else None


def error_in(failure: dg.DagsterEvent) -> str | None:
    """Return the innermost error of an op that failed, without Dagster's wrappings."""
    return _innermost(failure.step_failure_data.error) or failure.message


def _message_of(event: dg.DagsterEvent) -> str:
    """Return what Dagster's engine says, such as that a process is gone."""
    parts = [event.message, _innermost(event.engine_event_data.error)]
    return " ".join(part for part in parts if part)


def _is_interrupt(event: dg.DagsterEvent) -> bool:
    """Return whether a step was stopped from outside: it did not fail, its run has the rest."""
    failure = event.step_failure_data
    if failure.user_failure_data is not None:
        # A handler raised what Dagster raises to stop a step: the op itself went on to its end.
        return False
    stopped = failure.error is not None and failure.error.cls_name in _INTERRUPTS
    return stopped or failure.error_source.value == "INTERRUPT"


def _innermost(error: Any) -> str | None:
    """Return the message of the error that started it, without Dagster's wrappings."""
    if error is None:
        return None
    while error.cause is not None:
        error = error.cause
    return str(storable(error.message.strip()))

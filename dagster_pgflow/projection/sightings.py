"""What Dagster says about a run, in our words: the one place that reads its records.

Everything behind this file is pure and knows no Dagster.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal
from uuid import UUID

import dagster as dg

from dagster_pgflow.errors import PgflowError, ValueNotJson
from dagster_pgflow.json_values.limits import problem_of
from dagster_pgflow.json_values.sealed import unseal
from dagster_pgflow.model.defaults import UNASKED
from dagster_pgflow.names import (
    FLOW_INPUT,
    REQUESTED_INPUT_KEY,
    RESULT_OUTPUT,
    TAG_FLOW,
    TAG_RUN_ID,
    TAG_WATERMARK,
)
from dagster_pgflow.runtime.op_reports import report_in

SightingKind = Literal[
    "run_started",
    "run_completed",
    "run_failed",
    "run_cancelled",
    "started",
    "reported",
    "child_run",
    "retrying",
    "succeeded",
    "failed",
    "skipped",
    "reused",
]

_KINDS: Final[Mapping[dg.DagsterEventType, SightingKind]] = {
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
    }
)
"""The Dagster events that say how far a run is."""

_ENDS: Final[Mapping[dg.DagsterRunStatus, SightingKind]] = {
    dg.DagsterRunStatus.SUCCESS: "run_completed",
    dg.DagsterRunStatus.FAILURE: "run_failed",
    dg.DagsterRunStatus.CANCELED: "run_cancelled",
}

_TAKEN_OVER: Final = ("succeeded", "reused", "child_run")

_NO_REASON: Final = "This run has been marked as failed from outside"
"""What Dagster 1.13 says where it tells the reason in an event before."""

_INTERRUPTS: Final = ("DagsterExecutionInterruptedError", "KeyboardInterrupt")


class UnreadableRun(PgflowError):
    """A run in Dagster that carries our tags but cannot be made sense of."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One thing that Dagster saw.

    Attributes:
        position: The number of the event in Dagster's event log; 0 when there is none.
        at: When.
        kind: What.
        step_key: Which Dagster step, mapping key included.
        outcome: What the step reported about itself.
        error: What went wrong.
        delay: Seconds before the next attempt.
        op: The Dagster step of the run itself that it belongs to, when it happened in a run inside.
        pid: The number of the process that starts.
    """

    position: int
    at: datetime
    kind: SightingKind
    step_key: str = ""
    outcome: Mapping[str, Any] | None = None
    error: str | None = None
    delay: float | None = None
    op: str = ""
    pid: int | None = None

    @property
    def is_reused(self) -> bool:
        """Whether it happened before the run, in one that it goes on with."""
        told = self.outcome if self.kind == "child_run" else None
        return self.kind == "reused" or bool(told and told.get("reused"))

    @property
    def own_op(self) -> str:
        """The Dagster step of the run itself that it belongs to."""
        return self.op or self.step_key


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known about a run before anything happens in it.

    Attributes:
        run_id: The run's id in `pgflow.runs`.
        dagster_run_id: Its id in Dagster.
        flow_slug: The flow.
        watermark: The catalog watermark that pins the definitions.
        input: The flow input, as far as somebody gave one: without its defaults.
        created_at: When it was asked for.
        input_of: The request that has the input, when it is too large for run config.
        retry_of: The `run_id` of the run that it re-executes.
    """

    run_id: UUID
    dagster_run_id: UUID
    flow_slug: str
    watermark: int
    input: Any
    created_at: datetime
    input_of: str | None = None
    retry_of: UUID | None = None


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
    requested = None if run.parent_run_id else _uuid(run.tags.get(TAG_RUN_ID))
    watermark = pinned.get(TAG_WATERMARK, "")
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
    )


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


def sightings_of(record: dg.RunRecord, events: Iterable[dg.EventLogRecord]) -> list[Sighting]:
    """Return what Dagster saw of a run, in the order of its event log.

    Args:
        record: The run.
        events: Its events of the types `EVENT_TYPES`.
    """
    seen = list(_read(events))
    status = record.dagster_run.status
    ends = [sighting for sighting in seen if sighting.kind in _ENDS.values()]
    # A worker may outlive its run and go on to write. Dagster's word on how the run ended holds,
    # and what the steps did all the same comes before it.
    told = [sighting for sighting in ends if sighting.kind == _ENDS.get(status)] or ends
    if not told and status in _ENDS:
        at = record.end_time or record.update_timestamp.timestamp()
        told = [Sighting(0, moment(at), _ENDS[status])]
    return [sighting for sighting in seen if sighting not in ends] + told[-1:]


def reused_sightings(parent: Iterable[Sighting], executed: frozenset[str]) -> list[Sighting]:
    """Return what a re-execution takes over from the run before it, runs inside that included.

    Args:
        parent: What Dagster saw of the run before.
        executed: The Dagster steps that the re-execution runs itself.
    """
    return [
        as_reused(sighting)
        for sighting in parent
        if sighting.kind in _TAKEN_OVER and sighting.own_op not in executed
    ]


def as_reused(sighting: Sighting) -> Sighting:
    """Return something that happened in a run before, as a run that goes on with it tells it."""
    if sighting.kind == "child_run":
        told = {**(sighting.outcome or {}), "reused": True}
        return replace(sighting, position=0, outcome=told)
    return replace(sighting, position=0, kind="reused")


def _read(events: Iterable[dg.EventLogRecord]) -> Iterator[Sighting]:
    outcomes: dict[str, Mapping[str, Any]] = {}
    engine_said = ""
    for record in events:
        event = record.event_log_entry.dagster_event
        if event is None:
            continue
        key = event.step_key or ""
        if event.event_type == dg.DagsterEventType.STEP_OUTPUT:
            # It comes before the value is stored; only STEP_SUCCESS says that all went well.
            output = event.step_output_data
            if output.output_name == RESULT_OUTPUT:
                outcomes[key] = _outcome(output.metadata) or {}
            continue
        at = moment(record.event_log_entry.timestamp)
        if event.event_type == dg.DagsterEventType.ENGINE_EVENT:
            # Steps report so what became of an attempt that another one follows.
            told = _outcome(event.engine_event_data.metadata)
            if told is not None:
                seen = Sighting(record.storage_id, at, "reported", key, told)
                yield replace(seen, kind="child_run") if told["status"] == "child_run" else seen
            else:
                engine_said = _said(event)
            continue
        kind = _KINDS.get(event.event_type)
        if kind is None or (kind == "failed" and _is_interrupt(event)):
            continue
        seen = _sighting(Sighting(record.storage_id, at, kind, key), event, outcomes)
        if kind == "run_failed" and (seen.error or "").startswith(_NO_REASON):
            seen = replace(seen, error=storable(f"{seen.error} {engine_said}".strip()))
        yield seen


def _sighting(
    bare: Sighting, event: dg.DagsterEvent, outcomes: dict[str, Mapping[str, Any]]
) -> Sighting:
    match bare.kind:
        case "started":
            return replace(bare, pid=event.pid)
        case "succeeded":
            return replace(bare, outcome=outcomes.pop(bare.step_key, None))
        case "retrying":
            retry = event.step_retry_data
            error = _innermost(retry.error)
            return replace(bare, error=error, delay=retry.seconds_to_wait)
        case "failed":
            failure = event.step_failure_data
            told = failure.user_failure_data
            outcome = _outcome(told.metadata) if told else None
            said = outcome.get("error") if outcome else None
            return replace(
                bare, outcome=outcome, error=said or _innermost(failure.error) or event.message
            )
        case "run_failed":
            # There is no such data when the run was never launched.
            cause = _innermost(getattr(event.event_specific_data, "error", None))
            words = [event.message, cause]
            return replace(bare, error=storable(" ".join(word for word in words if word)))
        case _:
            return bare


def _said(event: dg.DagsterEvent) -> str:
    """Return what Dagster's engine says, such as that a process is gone."""
    words = [event.message, _innermost(event.engine_event_data.error)]
    return " ".join(word for word in words if word)


def _is_interrupt(event: dg.DagsterEvent) -> bool:
    """Say whether a step was stopped from outside: then it did not fail, its run tells the rest."""
    failure = event.step_failure_data
    stopped = failure.error is not None and failure.error.cls_name in _INTERRUPTS
    return stopped or failure.error_source.value == "INTERRUPT"


def _outcome(metadata: Mapping[str, Any]) -> Mapping[str, Any] | None:
    report = report_in(metadata)
    return None if report is None else storable(report)


def _innermost(error: Any) -> str | None:
    """Return the message of the error that started it, without Dagster's wrappings."""
    if error is None:
        return None
    while error.cause is not None:
        error = error.cause
    return str(storable(error.message.strip()))


def moment(seconds: float) -> datetime:
    """Return a moment given in seconds since the epoch."""
    return datetime.fromtimestamp(seconds, UTC)


def storable(value: Any) -> Any:
    """Return JSON that PostgreSQL can hold: no NUL, no lone surrogate, no NaN."""
    match value:
        case str():
            return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
        case float():
            return value if math.isfinite(value) else str(value)
        case Mapping():
            return {storable(str(key)): storable(item) for key, item in value.items()}
        case list() | tuple():
            return [storable(item) for item in value]
        case None | bool() | int():
            return value
        case _:
            return str(value)


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None

"""What Dagster saw of a run, as data: free of Dagster."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

from dagster_pgflow.dagster_log.step_keys import is_among
from dagster_pgflow.reports.report import ChildRunStarted, OpReport, StepEnd, StepPause

RunEventKind = Literal[
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

RunEnding = Literal["completed", "failed", "cancelled"]
"""How a run ends."""

RunPhase = Literal["waiting", "under_way", "over"]
"""Where a run is between its request and its end."""

Reports = Mapping[str, StepEnd]
"""What ops reported last, by their keys; those in runs inside with their path before."""

_TAKEN_OVER: Final = ("succeeded", "reused", "child_run")


class Sent(NamedTuple):
    """An output that a Dagster step sent.

    Attributes:
        output: The name of the output.
        mapping_key: Which one it is, where the output is dynamic.
    """

    output: str
    mapping_key: str | None


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One thing that Dagster saw.

    Attributes:
        position: The number of the event in Dagster's event log; 0 when there is none.
        at: When.
        kind: What.
        step_key: Which Dagster step, mapping key included.
        report: What the op reported with it.
        error: What went wrong.
        delay: Seconds before the next attempt.
        op: The Dagster step of the run itself that it belongs to, when it happened in a run inside.
        pid: The number of the process that starts.
        sent: What a step that succeeded has sent, each once.
        process_lost: For the failure of a step or of the run, whether it says nothing of the flow:
            a process is gone, or the store was away.
        goes_on_in: For the start of a Dagster run that goes on with one that waited: its id.
    """

    position: int
    at: datetime
    kind: RunEventKind
    step_key: str = ""
    report: OpReport | None = None
    error: str | None = None
    delay: float | None = None
    op: str = ""
    pid: int | None = None
    sent: tuple[Sent, ...] = ()
    process_lost: bool = False
    goes_on_in: UUID | None = None

    @property
    def is_reused(self) -> bool:
        """Whether it happened before the run, in one that it goes on with."""
        is_child_reused = isinstance(self.report, ChildRunStarted) and self.report.is_reused
        return self.kind == "reused" or is_child_reused

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
        max_recoveries: How often it goes on by itself when its process was lost.
    """

    run_id: UUID
    dagster_run_id: UUID
    flow_slug: str
    watermark: int
    input: Any
    created_at: datetime
    input_of: str | None = None
    retry_of: UUID | None = None
    max_recoveries: int = 0


@dataclass(frozen=True)
class OutputsOf:
    """A run whose outputs are used.

    Attributes:
        run_id: Its id in Dagster.
        child_run: The path of the scope that it is, where it is a run inside another one.
    """

    run_id: UUID
    child_run: str | None = None


def reused_events(parent: Iterable[RunEvent], executed: frozenset[str]) -> list[RunEvent]:
    """Return what a re-execution takes over from the run before it, runs inside that included.

    Args:
        parent: What Dagster saw of the run before.
        executed: The Dagster steps that the re-execution runs itself.
    """
    return [
        as_reused(run_event)
        for run_event in parent
        if run_event.kind in _TAKEN_OVER
        and not isinstance(run_event.report, StepPause)
        and not is_among(run_event.own_op, executed)
    ]


def as_reused(run_event: RunEvent) -> RunEvent:
    """Return something that happened in a run before, as a run that goes on with it has it."""
    if isinstance(run_event.report, ChildRunStarted):
        return replace(run_event, position=0, report=replace(run_event.report, is_reused=True))
    return replace(run_event, position=0, kind="reused")


def moment(seconds: float) -> datetime:
    """Return a moment given in seconds since the epoch."""
    return datetime.fromtimestamp(seconds, UTC)


@dataclass(frozen=True)
class EarlierRun:
    """A run that a further one goes on with.

    Attributes:
        run_id: Its id in Dagster.
        executed: The Dagster steps that it was to execute; `None` for all.
        run_events: How its steps began and ended.
    """

    run_id: str
    executed: frozenset[str] | None
    run_events: Sequence[RunEvent]

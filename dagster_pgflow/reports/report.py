"""The reports that ops write, one class for each thing that may have come of a step."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final, Literal, TypedDict

from dagster_pgflow.model.run_state import Json, SkipReason
from dagster_pgflow.reports.decision import Decision
from dagster_pgflow.reports.task_report import TaskReport
from dagster_pgflow.step_path import StepPath

VERSION: Final = 1

FailureCause = Literal["store"]
"""What a failure comes from that says nothing about the flow: trouble with the store."""


@dataclass(frozen=True, slots=True)
class FanOut:
    """What an op sent out to the ops of a step that runs over a list.

    Attributes:
        tasks: How many elements or items the list has.
        batches: How many ops they are for; at least one, since an empty list has one too.
        batch_size: How many elements each of them has, apart from the last one. In reports of
            version 0 it is missing.
    """

    tasks: int
    batches: int
    batch_size: int | None


@dataclass(frozen=True, slots=True)
class RanFlow:
    """A flow that an op has run as Dagster runs of their own, or would have.

    Attributes:
        flow: The flow, or the lowered flow of a loop, by slug.
        at: The scope that it is; of a loop, its first iteration.
    """

    flow: str
    at: StepPath


@dataclass(frozen=True, slots=True)
class FailedItem:
    """An item that failed in an op that runs a flow for each item of a list.

    Attributes:
        error: What went wrong.
        subflow: The subflow that fails with it while its flow goes on.
    """

    error: str
    subflow: StepPath


@dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    """What every report says.

    Attributes:
        worker: The process that did the work, as `host:pid`.
        tasks: The tasks that it is about, by index.
    """

    worker: str
    tasks: tuple[TaskReport, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _StepEnd(_Report):
    """What every report says that is an op's last one.

    Attributes:
        step: The step that the op is, or helps.
        fans_out: What it sent out, by the slugs of the steps that run over it.
        ran: The flow that it has run as a run of its own.
        unanswered: The conditions that had no answer, one sentence each.
    """

    step: StepPath
    fans_out: Mapping[str, FanOut] = field(default_factory=dict)
    ran: RanFlow | None = None
    unanswered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCompleted(_StepEnd):
    """The op has an output.

    Attributes:
        output_bytes: How large the output is, as JSON text.
        output: The output as it travels, unless it is too large for an event.
        decision: How the run goes on behind a branch or a loop.
        failed_items: The items that failed while the flow around goes on, by place.
    """

    status: ClassVar[Literal["completed"]] = "completed"
    output_bytes: int
    output: Json | None = None
    decision: Decision | None = None
    failed_items: Mapping[StepPath, FailedItem] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSkipped(_StepEnd):
    """The step did not run, on purpose.

    Attributes:
        skip_reason: Why the step is skipped at which that began.
        skipped_step: That step: this one, one before it, or a subflow around it.
        ends_route: Whether what depends on it is skipped with it.
        why: Why the step is skipped at which that began, in words; older reports do not say.
    """

    status: ClassVar[Literal["skipped"]] = "skipped"
    skip_reason: SkipReason
    skipped_step: StepPath
    ends_route: bool = False
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCancelled(_StepEnd):
    """The step had nothing to do any more, because what it lies in failed.

    Attributes:
        failed_subflow: The subflow, or the iteration of a loop, from whose failure its flow goes
            on.
    """

    status: ClassVar[Literal["cancelled"]] = "cancelled"
    failed_subflow: StepPath


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFailed(_StepEnd):
    """The op failed, and with it the run or a subflow around it.

    Attributes:
        error: What went wrong.
        failed_step: What failed: the step, an item of it, or a subflow around it that may not run.
        place: What the op was at: its step, or an item of the list that it runs over.
        failed_subflow: The step that fails while its flow goes on, where there is one: this one, a
            subflow around it, or an iteration of a loop.
        leads_to: The step that this flow goes on with; older reports do not say.
        cause: What it comes from, where that is not the flow.
    """

    status: ClassVar[Literal["failed"]] = "failed"
    error: str
    failed_step: StepPath
    place: StepPath
    failed_subflow: StepPath | None = None
    leads_to: str | None = None
    cause: FailureCause | None = None

    @property
    def is_routable(self) -> bool:
        """Whether it says something about the flow, so that a flow around may go on after it."""
        return self.cause is None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRetrying(_Report):
    """An attempt failed, and another one follows.

    Attributes:
        attempt: The number of the attempt to come.
        delay_seconds: How long that waits.
    """

    status: ClassVar[Literal["retrying"]] = "retrying"
    attempt: int
    delay_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDelayed(_Report):
    """The op only found out that it is too early for its step.

    Attributes:
        delay_seconds: How long the first attempt waits.
    """

    status: ClassVar[Literal["delayed"]] = "delayed"
    delay_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildRunStarted(_Report):
    """The op has something run as a Dagster run of its own.

    Attributes:
        child_run: That run's id in Dagster.
        path: The subflow step, with the index of the item if any, or the loop with the number of
            the iteration.
        input: What its flow receives, unless that is too large for an event.
        is_reused: Whether that run was over before, and the op goes on with what it returned.
    """

    status: ClassVar[Literal["child_run"]] = "child_run"
    child_run: str
    path: StepPath
    input: Json | None = None
    is_reused: bool = False


WaitKind = Literal["approval", "wait", "sleep"]
"""The kinds of steps that wait: for a person, for a signal, for a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepWaiting(_Report):
    """The step waits: the run goes on with it in another Dagster run.

    Attributes:
        step: The step.
        kind: What kind of step it is.
        waits_for: What it waits for, for people: the prompt, the name of the signal, the time.
        due_at: When it goes on at the latest, in seconds since the epoch, if that is set.
    """

    status: ClassVar[Literal["waiting"]] = "waiting"
    step: StepPath
    kind: WaitKind
    waits_for: str
    due_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepHeld(_Report):
    """The op had nothing to do so far, because a step before it, or one inside it, waits.

    Attributes:
        step: The step that the op is, or helps.
        waiting_step: The step that waits.
    """

    status: ClassVar[Literal["held"]] = "held"
    step: StepPath
    waiting_step: StepPath


class EndFields(TypedDict):
    """The fields that every last report of an op has, apart from what tells it from others."""

    worker: str
    tasks: tuple[TaskReport, ...]
    step: StepPath
    fans_out: Mapping[str, FanOut]
    ran: RanFlow | None
    unanswered: tuple[str, ...]


StepEnd = StepCompleted | StepSkipped | StepCancelled | StepFailed
"""What may have become of a step in the end."""

StepPause = StepWaiting | StepHeld
"""What an op may report that has not come to its end, and begins anew when the run goes on."""

OpReport = StepEnd | StepPause | StepRetrying | StepDelayed | ChildRunStarted

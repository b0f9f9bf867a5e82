"""What became of a flow that ran in process; words and values are those of the run tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from dagster_pgflow.model.run_state import SkipReason, StepStatus, TaskStatus
from dagster_pgflow.reports.report import WaitKind
from dagster_pgflow.runtime.asked_condition import AskedCondition
from dagster_pgflow.runtime.waits import WaitStatus

ResultStatus = Literal["completed", "failed", "cancelled", "waiting"]
"""How a run stands that nobody executes any more."""


@dataclass(frozen=True)
class AttemptResult:
    """One try of a task.

    Attributes:
        number: Which one, from 1.
        status: How it ended.
        error: What went wrong.
        delay: Seconds between its end and the next try, as the retry policy says.
    """

    number: int
    status: str
    error: str | None = None
    delay: float | None = None


@dataclass(frozen=True)
class TaskResult:
    """A task, as `pgflow.step_tasks` and `pgflow.node_executions` have it.

    Attributes:
        step_path: Its step.
        task_index: The index of the element in a map step, else 0.
        status: How it ended.
        output: What the handler returned.
        error: What went wrong.
        attempts: Its tries.
    """

    step_path: str
    task_index: int
    status: TaskStatus
    output: Any = None
    error: str | None = None
    attempts: tuple[AttemptResult, ...] = ()


@dataclass(frozen=True)
class StepResult:
    """A step, as `pgflow.step_states` has it.

    Attributes:
        path: Its place, such as `payment.charge`; with the number of an item or an iteration where
            it lies in one.
        step_type: Its kind.
        status: How it ended.
        reason: Why it was skipped: `condition_unmet`, `not_taken`, `handler_failed` or
            `dependency_skipped`.
        skipped_by: The step where the skip began, if it was skipped.
        left_out_by: The steps that decided not to go to that one: branches, loops, and steps with
            another route for their failure.
        why: In words, why it was skipped, or how the run goes on behind a branch or a loop.
        output: What it returned.
        error: What went wrong.
        exception: What its handler raised, if that is what went wrong.
        attempts: How often its tasks were tried, all together.
        delay: Seconds before its first try, as its start delay says.
        waiting_for: What it waits for, if it does.
    """

    path: str
    step_type: str
    status: StepStatus
    reason: SkipReason | None = None
    skipped_by: str | None = None
    left_out_by: tuple[str, ...] = ()
    output: Any = None
    error: str | None = None
    exception: BaseException | None = field(default=None, compare=False)
    attempts: int = 0
    delay: float | None = None
    waiting_for: str | None = None
    why: str | None = None


@dataclass(frozen=True)
class SubrunResult:
    """One time that a run entered a subflow, as `pgflow.subruns` has it.

    Attributes:
        path: The place of the step that runs it, with the index of the item, if it is one of many.
        flow_slug: The flow.
        subrun_path: Its number in the run, such as `1.3`.
        status: How it ended.
        input: What it received.
        output: What it returned.
        error: What went wrong.
    """

    path: str
    flow_slug: str
    subrun_path: str
    status: StepStatus
    input: Any = None
    output: Any = None
    error: str | None = None


@dataclass(frozen=True)
class TakenEdge:
    """A way that a run took from one step to another.

    Attributes:
        start: The step that it begins at; `begin` for the beginning of the run.
        end: The step that it leads to; `end` for the end of the run.
        after: How the step ended that it begins at.
        label: What the route is called, where it has a name.
    """

    start: str
    end: str
    after: str = ""
    label: str = ""

    def __str__(self) -> str:
        return f"{self.start} -> {self.end}"


@dataclass(frozen=True)
class WaitResult:
    """What a step waited for, or waits for.

    Attributes:
        path: The step.
        kind: What kind of step it is.
        status: Whether it is over, and how it ended.
        waits_for: What it waits for, for people: the question, the signal, the time.
        answer: What it was answered.
        answered_by: Who answered.
    """

    path: str
    kind: WaitKind
    status: WaitStatus
    waits_for: str
    answer: Any = None
    answered_by: str | None = None


@dataclass(frozen=True)
class FlowResult:
    """What became of a run.

    Attributes:
        run_id: The run.
        flow_slug: The flow.
        status: How it ended; `waiting` where a step waits that has no answer.
        input: What it started with, laid over the defaults of its flow's input schema.
        output: What it returned, if it completed.
        error: Why it failed or was cancelled.
        exception: What the handler raised that failed it, if that is why.
        steps: Its steps by their places.
        tasks: The tasks of its steps by the places of these, in the order of the elements.
        subruns: Its subruns, in the order of their numbers.
        route: The ways that it took from step to step, in their order.
        waits: What its steps waited for.
        conditions: What its conditions said, and of which values, in the order of the asking.
        warnings: What its author should look at, though nothing fails for it.
    """

    run_id: UUID
    flow_slug: str
    status: ResultStatus
    input: Any = None
    output: Any = None
    error: str | None = None
    exception: BaseException | None = field(default=None, compare=False)
    steps: Mapping[str, StepResult] = field(default_factory=dict)
    tasks: Mapping[str, tuple[TaskResult, ...]] = field(default_factory=dict)
    subruns: tuple[SubrunResult, ...] = ()
    route: tuple[TakenEdge, ...] = ()
    waits: tuple[WaitResult, ...] = ()
    conditions: tuple[AskedCondition, ...] = ()
    warnings: tuple[str, ...] = ()

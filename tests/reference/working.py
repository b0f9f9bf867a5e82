"""What handlers do for a step: tasks, their attempts, and how a step ends with them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import BranchStep, HandledStep, LoopStep, MapStep, SingleStep, Step
from dagster_pgflow.step_errors import NonRetryable
from tests.reference.attempts import Wait, most_attempts, wait_after
from tests.reference.conditions import Asked
from tests.reference.endings import FAILED, LEFT_ALONE, WHY, Ending, StepEnd, Task
from tests.reference.merging import NotAnObject, kept, mergeable


@dataclass(frozen=True)
class Call:
    """One attempt of one task, as a handler sees it."""

    handler: str
    value: Any
    flow_input: Any
    flow_slug: str
    step_path: str
    index: int
    attempt: int
    params: Mapping[str, Any]


class TookTooLong(Exception):
    """What handlers raise here that would go on for ever."""


Handlers = Mapping[str, Callable[[Call], Any]]
"""What each handler does: returns an output or raises."""


@dataclass(frozen=True)
class Scope:
    """A flow that runs, or one iteration of a loop in it.

    Attributes:
        flow: The flow.
        input: Its input.
        path: The path of the subflow step or the iteration.
        in_items: Whether a subflow around it in the same Dagster run has items.
        loop: The loop, in an iteration of it.
        iteration: Which iteration it is.
        before: What loops around it returned in the iteration before, by slug.
        deps: What arrived by name at the step at hand.
    """

    flow: Flow
    input: Any
    path: str
    in_items: bool = False
    loop: LoopStep | None = None
    iteration: int = 0
    before: Mapping[str, Any] = field(default_factory=dict)
    deps: Mapping[str, Any] = field(default_factory=dict)

    def path_of(self, step: Step) -> str:
        """Return the path of one of the flow's steps."""
        return f"{self.path}.{step.slug}" if self.path else step.slug

    def asked(self, step: Step, step_input: Any) -> Asked:
        """Return what the conditions of a step are about."""
        most = self.loop.max_iterations if self.loop else 0
        place = (self.flow.slug, self.path_of(step), self.iteration, most)
        return Asked(step_input, self.input, *place, deps=self.deps)


@dataclass
class Worker:
    """Has handlers do what steps are for.

    Attributes:
        handlers: What each handler does.
        calls: Every call so far.
    """

    handlers: Handlers
    calls: list[Call] = field(default_factory=list)

    def deciding(self, scope: Scope, step: BranchStep | LoopStep, step_input: Any) -> StepEnd:
        """Do what a branch or a loop does before it decides; without a handler that is nothing."""
        if step.handler is not None:
            return self.single(scope, step, step_input)
        is_one = len(set(step.depends_on)) == 1 and not step.merge_input
        handed_on = step_input.get(step.depends_on[0]) if is_one else step_input
        try:
            output = mergeable(scope.flow, step, kept(step, step_input, handed_on))
        except NotAnObject:
            return exhausted(step, (Task("failed", ()),))
        return StepEnd("completed", output, tasks=(Task("completed", (), output),))

    def single(
        self, scope: Scope, step: SingleStep | BranchStep | LoopStep, step_input: Any
    ) -> StepEnd:
        """Do what a single step does."""
        if self._handler_name(scope, step) is None:
            return FAILED
        if step.keep_input and not isinstance(step_input, dict):
            return exhausted(step, (Task("failed", ()),))
        task = self._task(scope, step, 0, step_input)
        if task.status == "completed":
            return StepEnd("completed", task.output, tasks=(task,))
        return exhausted(step, (task,))

    def map(self, scope: Scope, step: MapStep, elements: list[Any], size: int) -> StepEnd:
        """Do what a map step does, in batches of some size."""
        if elements and self._handler_name(scope, step) is None:
            return StepEnd("failed", tasks=(LEFT_ALONE,) * len(elements), batch_size=size)
        tasks = tuple(
            self._task(scope, step, index, element) for index, element in enumerate(elements)
        )
        if all(_is_done(step, task) for task in tasks) and _is_borne(step, tasks):
            output = [_sent_on(task) for task in tasks]
            return StepEnd("completed", output, tasks=tasks, batch_size=size)
        return exhausted(step, tasks, size)

    def overtaken(self, scope: Scope, step: MapStep, before: tuple[str, StepEnd]) -> StepEnd:
        """End a pipelined map whose source did not complete; some batches may have come through."""
        slug, source = before
        sender = next(other for other in scope.flow.steps if other.slug == slug)
        came = {
            index
            for batch in source.batches
            if all(_is_done(sender, source.tasks[index]) for index in batch)
            for index in batch
        }
        has_handler = self._handler_name(scope, step) is not None
        tasks = tuple(
            self._task(scope, step, index, _sent_on(task))
            if index in came and has_handler
            else LEFT_ALONE
            for index, task in enumerate(source.tasks)
        )
        fails = step.when_exhausted == "fail" and not step.collects
        failed = fails and any(task.status == "failed" for task in tasks)
        ending: Ending = "failed" if failed or (came and not has_handler) else "cancelled"
        return StepEnd(ending, tasks=tasks, batch_size=source.batch_size)

    def _task(self, scope: Scope, step: Step, index: int, value: Any) -> Task:
        assert isinstance(step, HandledStep)
        name = str(self._handler_name(scope, step))
        flow, path = scope.flow, scope.path_of(step)
        waits: list[Wait] = []
        while True:
            attempt = len(waits) + 1
            call = Call(name, value, scope.input, flow.slug, path, index, attempt, step.params)
            self.calls.append(call)
            try:
                output = kept(step, value, self.handlers[name](call))
                # A map is judged as a whole: what its elements return are parts of a list.
                is_part = isinstance(step, MapStep)
                output = output if is_part else mergeable(flow, step, output)
                return Task("completed", tuple(waits), output)
            except NonRetryable:
                return Task("failed", tuple(waits), is_final=True)
            except Exception as error:  # noqa: BLE001  # whatever it is, it is a failed attempt
                if attempt >= most_attempts(flow, step):
                    timed_out = isinstance(error, TookTooLong)
                    return Task("failed", tuple(waits), timed_out=timed_out)
                waits.append(wait_after(attempt, error, flow, step))

    def _handler_name(self, scope: Scope, step: HandledStep) -> str | None:
        own = f"{scope.flow.slug}.{step.slug}"
        names = [step.handler] if step.handler else [own, step.slug]
        return next((name for name in names if name in self.handlers), None)


def _is_done(step: Step, task: Task) -> bool:
    """Return whether a task of a map has something to send on."""
    collects = isinstance(step, MapStep) and step.collects
    return task.status == "completed" or (collects and task.status == "failed")


def _is_borne(step: MapStep, tasks: tuple[Task, ...]) -> bool:
    """Return whether no more tasks of a map failed than it says."""
    failed = sum(task.status == "failed" for task in tasks)
    most = [step.max_failures]
    if step.max_failures_percent is not None:
        most.append(len(tasks) * step.max_failures_percent // 100)
    return all(bound is None or failed <= bound for bound in most)


def _sent_on(task: Task) -> Any:
    """Return a task's output, or what a map that collects errors puts in its place."""
    if task.status == "completed":
        return task.output
    return {"error": {"message": WHY, "attempts": task.attempts}}


def exhausted(step: Step, tasks: tuple[Task, ...], size: int = 1) -> StepEnd:
    """Return how a step ends that gives up."""
    if step.when_exhausted == "fail":
        return StepEnd("failed", tasks=tasks, batch_size=size)
    cascades = step.when_exhausted == "skip-cascade"
    return StepEnd("skipped", None, "handler_failed", cascades, tasks, size)

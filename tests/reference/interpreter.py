"""What a flow means, as a program: steps, conditions, failures, and subflows.

It is written from the rules alone, in the plainest way that works, and shares nothing with the
product but the model and the errors that handlers raise. What the compiled job does, and what the
tables say afterwards, must be the same.

Where the rules are silent, this is what they are taken to mean:

- A step is decided when each of its dependencies has ended. If one of them failed or was cancelled,
  so is the step cancelled, whatever the others did. Next come cascades, then the step's own
  conditions, and last whether a map has a list.
- A failure ends the run, but steps that do not depend on the failed one still do their work.
- A map that fails because of one task still gives every other task all its attempts. What becomes
  of a task, and how often it is tried, does not depend on the size of its batch; how long it waits
  does, because a batch waits for the one of its tasks that must wait longest.
- A batch has `batch_size` elements. Without that it has one, or a 20th part (rounded up) of a list
  of more than 100.
- A pipelined map takes over the batches of the map before it, each as soon as all its elements are
  done. So when that map fails, some of its tasks may have ended; the others, and the step unless
  one of its own tasks failed it, are cancelled.
- `max_attempts` of 0 means one try, as 1 does. `RetryAfter` waits as long as it says, whatever
  `max_delay` says; waits with jitter lie between two bounds.
- `collect_errors` goes before `when_exhausted`: such a map is never exhausted.
- Input that a handler's type hint does not accept is not tried again: the same input would come.
  Output that is no JSON, or not of the handler's type, is a failed attempt.
- Something other than a list under a map, and a handler that does not exist, are mistakes of the
  definition or the deployment. They fail the run at once, whatever `when_exhausted` says. A map
  over nothing needs no handler. The tasks of a map whose handler does not exist are cancelled.
- A skip inside a subflow stays inside: when all its final steps are skipped it completes with
  null. What is inside a skipped subflow is skipped, with `dependency_skipped`; what is inside one
  that was cancelled, or that may not run (`when_unmet` is `fail`), is cancelled.
- A subflow step that may not run has its input in its subrun, which shows why it may not. That is
  no failure of the flow inside, so its failure step does not go on from it.
- Where a flow goes on from a failure, all that does not depend on the failed step still does its
  work before it does, as it does before a run fails. One failed item leaves the others alone.
- A map inside an item is one op: its tasks are one batch, and it is never overtaken.
- A pattern is an object, so it is contained in objects only: over a flow input that is none,
  `if` never holds and `if_not` always does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dagster_pgflow.errors import NonRetryable
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.step import HandledStep, MapStep, SingleStep, Step, SubflowStep
from tests.reference.conditions import Asked, conditions_hold
from tests.reference.endings import (
    CANCELLED,
    FAILED,
    LEFT_ALONE,
    SKIPPED_WITHIN,
    WHY,
    Ending,
    StepEnd,
    Task,
)
from tests.reference.mappings import LeadsNowhere, fits, given_to, items_of, returned_by
from tests.reference.patience import Wait, batch_size, most_attempts, wait_after
from tests.reference.routing import failure_step_of, other_way
from tests.reference.traces import failure_told


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


Handlers = Mapping[str, Callable[[Call], Any]]
"""What each handler does: returns an output or raises."""


@dataclass(frozen=True)
class Began:
    """The input of a subflow that began."""

    input: Any


@dataclass(frozen=True)
class Told:
    """What became of a run.

    Attributes:
        status: How the run ended.
        output: Its output; null unless it completed.
        steps: How each step ended, by its path.
        subruns: The input of each subflow step's flow, by path; `None` where it never began.
        calls: Every call of a handler.
    """

    status: Ending
    output: Any
    steps: Mapping[str, StepEnd]
    subruns: Mapping[str, Began | None]
    calls: list[Call]


def interpret(flow: Flow, flows: Mapping[str, Flow], handlers: Handlers, flow_input: Any) -> Told:
    """Run a flow.

    Args:
        flow: The flow.
        flows: Those that it contains, by slug.
        handlers: What each handler does.
        flow_input: The input of the run.
    """
    interpreter = _Interpreter(flows, handlers)
    end = interpreter.run(_Scope(flow, flow_input, ""))
    return Told(end.status, end.output, interpreter.steps, interpreter.subruns, interpreter.calls)


@dataclass(frozen=True)
class _Scope:
    """A flow that runs: its input, the path of the subflow step, and whether that has items."""

    flow: Flow
    input: Any
    path: str
    in_items: bool = False

    def path_of(self, step: Step) -> str:
        return f"{self.path}.{step.slug}" if self.path else step.slug


@dataclass
class _Interpreter:
    flows: Mapping[str, Flow]
    handlers: Handlers
    steps: dict[str, StepEnd] = field(default_factory=dict)
    subruns: dict[str, Began | None] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    def run(self, scope: _Scope) -> StepEnd:
        """Run a flow; it ends as a step that runs it does."""
        ends: dict[str, StepEnd] = {}
        waiting = list(scope.flow.steps)
        while waiting:
            step = next(step for step in waiting if all(dep in ends for dep in step.depends_on))
            waiting.remove(step)
            deps = {dep: ends[dep] for dep in step.depends_on}
            ends[step.slug] = self._end_of(scope, step, deps)
            self.steps[scope.path_of(step)] = ends[step.slug]
        if any(end.status == "failed" and not end.routed for end in ends.values()):
            return FAILED
        return StepEnd("completed", _output_of(scope.flow, ends))

    def _end_of(self, scope: _Scope, step: Step, deps: Mapping[str, StepEnd]) -> StepEnd:
        path = scope.path_of(step)
        if any(dep.ends_all_behind for dep in deps.values()):
            self._close(step, path, CANCELLED)
            if isinstance(step, MapStep) and step.pipelined and not scope.in_items:
                return self._overtaken(scope, step, *deps.items())
            return CANCELLED
        if any(dep.cascades for dep in deps.values()):
            self._close(step, path, SKIPPED_WITHIN)
            return StepEnd("skipped", skip_reason="dependency_skipped", cascades=True)
        way = other_way(scope.flow, step, deps)
        if way is not None:
            self._close(step, path, SKIPPED_WITHIN)
            return StepEnd("skipped", skip_reason=way.reason, untaken=way.behind)
        present = {
            slug: dep.output
            for slug, dep in deps.items()
            if dep.status == "completed"
            or (dep.routed and failure_step_of(scope.flow, slug) == step.slug)
        }
        step_input = present if step.depends_on else scope.input
        if conditions_hold(step, Asked(step_input, scope.input, scope.flow.slug, path)):
            return self._work(scope, step, step_input, deps)
        return self._unmet(step, path, step_input)

    def _unmet(self, step: Step, path: str, step_input: Any) -> StepEnd:
        if step.when_unmet == "fail":
            self._close(step, path, CANCELLED)
            if isinstance(step, SubflowStep):
                self.subruns[path] = Began(step_input)
            return FAILED
        self._close(step, path, SKIPPED_WITHIN)
        cascades = step.when_unmet == "skip-cascade"
        return StepEnd("skipped", skip_reason="condition_unmet", cascades=cascades)

    def _close(self, step: Step, path: str, inside: StepEnd) -> None:
        """Let all that a step contains end in one way; nothing of it runs."""
        if isinstance(step, SubflowStep):
            self.subruns[path] = None
            # Where there is no list there are no items.
            if step.over is None:
                self._close_flow(self.flows[step.flow], path, inside)

    def _close_flow(self, flow: Flow, path: str, inside: StepEnd) -> None:
        for inner in flow.steps:
            self._close(inner, f"{path}.{inner.slug}", inside)
            self.steps[f"{path}.{inner.slug}"] = inside

    def _work(
        self, scope: _Scope, step: Step, step_input: Any, deps: Mapping[str, StepEnd]
    ) -> StepEnd:
        match step:
            case SubflowStep():
                return self._subflow(scope, step, step_input)
            case SingleStep():
                return self._single(scope, step, step_input)
            case MapStep():
                # A dependency that was skipped leaves its key out: then there is nothing to do.
                source = step.depends_on[0] if step.depends_on else None
                elements = step_input.get(source, []) if source else step_input
                if not isinstance(elements, list):
                    return FAILED
                size = deps[source].batch_size if source and step.pipelined else None
                if scope.in_items:
                    size = max(len(elements), 1)
                return self._map(scope, step, elements, size or batch_size(step, len(elements)))

    def _subflow(self, scope: _Scope, step: SubflowStep, step_input: Any) -> StepEnd:
        path = scope.path_of(step)
        end, failed_items = self._runs(scope, step, step_input)
        if end.status != "failed" or step.on_failure is None:
            return end
        told = failure_told(path, self.steps, self.subruns.keys(), failed_items)
        return StepEnd("failed", told, routed=True)

    def _runs(self, scope: _Scope, step: SubflowStep, step_input: Any) -> tuple[StepEnd, set[str]]:
        """Run the flow of a subflow step: once, or once for each item; name the items that fail."""
        path, child = scope.path_of(step), self.flows[step.flow]
        roots = {"nodes": step_input if step.depends_on else {}, "input": scope.input}
        self.subruns[path] = Began(step_input)
        given: dict[str, Any] = {}
        try:
            if step.over is None:
                given = {path: step_input if step.input is None else given_to(step, roots)}
            else:
                given = {
                    f"{path}[{index}]": item for index, item in enumerate(items_of(step, roots))
                }
            in_items = scope.in_items or step.over is not None
            ends = {
                place: self._flow(_Scope(child, value, place, in_items))
                for place, value in given.items()
            }
            failed = {place for place, end in ends.items() if end.status == "failed"}
            if failed:
                return FAILED, failed - {path}
            outputs = [returned_by(step, child, end.output) for end in ends.values()]
        except LeadsNowhere:
            if step.over is None and not given:
                self._close_flow(child, path, CANCELLED)
            return FAILED, set()
        return StepEnd("completed", outputs if step.over else outputs[0]), set()

    def _flow(self, scope: _Scope) -> StepEnd:
        """Run a flow inside another one."""
        if fits(scope.flow.input_schema, scope.input):
            return self.run(scope)
        self._close_flow(scope.flow, scope.path, CANCELLED)
        return FAILED

    def _single(self, scope: _Scope, step: SingleStep, step_input: Any) -> StepEnd:
        if self._handler_name(scope, step) is None:
            return FAILED
        task = self._task(scope, step, 0, step_input)
        if task.status == "completed":
            return StepEnd("completed", task.output, tasks=(task,))
        return _exhausted(step, (task,))

    def _map(self, scope: _Scope, step: MapStep, elements: list[Any], size: int) -> StepEnd:
        if elements and self._handler_name(scope, step) is None:
            return StepEnd("failed", tasks=(LEFT_ALONE,) * len(elements), batch_size=size)
        tasks = tuple(
            self._task(scope, step, index, element) for index, element in enumerate(elements)
        )
        if all(_is_done(step, task) for task in tasks):
            output = [_sent_on(task) for task in tasks]
            return StepEnd("completed", output, tasks=tasks, batch_size=size)
        return _exhausted(step, tasks, size)

    def _overtaken(self, scope: _Scope, step: MapStep, before: tuple[str, StepEnd]) -> StepEnd:
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
        fails = step.when_exhausted == "fail" and not step.collect_errors
        failed = fails and any(task.status == "failed" for task in tasks)
        ending: Ending = "failed" if failed or (came and not has_handler) else "cancelled"
        return StepEnd(ending, tasks=tasks, batch_size=source.batch_size)

    def _task(self, scope: _Scope, step: SingleStep | MapStep, index: int, value: Any) -> Task:
        name = str(self._handler_name(scope, step))
        flow, path = scope.flow, scope.path_of(step)
        waits: list[Wait] = []
        while True:
            attempt = len(waits) + 1
            call = Call(name, value, scope.input, flow.slug, path, index, attempt, step.params)
            self.calls.append(call)
            try:
                return Task("completed", tuple(waits), self.handlers[name](call))
            except NonRetryable:
                return Task("failed", tuple(waits))
            except Exception as error:  # noqa: BLE001  # whatever it is, it is a failed attempt
                if attempt >= most_attempts(flow, step):
                    return Task("failed", tuple(waits))
                waits.append(wait_after(attempt, error, flow, step))

    def _handler_name(self, scope: _Scope, step: HandledStep) -> str | None:
        own = f"{scope.flow.slug}.{step.slug}"
        names = [step.handler] if step.handler else [own, step.slug]
        return next((name for name in names if name in self.handlers), None)


def _is_done(step: Step, task: Task) -> bool:
    """Say whether a task of a map has something to send on."""
    collects = isinstance(step, MapStep) and step.collect_errors
    return task.status == "completed" or (collects and task.status == "failed")


def _sent_on(task: Task) -> Any:
    """Return a task's output, or what a map that collects errors puts in its place."""
    if task.status == "completed":
        return task.output
    return {"error": {"message": WHY, "attempts": task.attempts}}


def _exhausted(step: Step, tasks: tuple[Task, ...], size: int = 1) -> StepEnd:
    if step.when_exhausted == "fail":
        return StepEnd("failed", tasks=tasks, batch_size=size)
    cascades = step.when_exhausted == "skip-cascade"
    return StepEnd("skipped", None, "handler_failed", cascades, tasks, size)


def _output_of(flow: Flow, ends: Mapping[str, StepEnd]) -> dict[str, Any] | None:
    """Return `{leaf: output}` over the final steps that completed, or null when none did."""
    needed = {dep for step in flow.steps for dep in step.depends_on}
    final = [step.slug for step in flow.steps if step.slug not in needed]
    output = {slug: ends[slug].output for slug in final if ends[slug].status == "completed"}
    return output or None

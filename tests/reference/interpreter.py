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
- `max_attempts` of 0 means one try, as 1 does. `RetryAfter` waits as long as it says, but no longer
  than `max_delay` says; waits with jitter lie between two bounds.
- `collect_errors` goes before `when_exhausted`: such a map is never exhausted. With `max_failures`
  or `max_failures_percent` it is, when more of its elements fail; each of the two is enough to
  collect errors, and both bounds hold where there are two.
- Input that a handler's type hint does not accept is not tried again: the same input would come.
  Output that is not JSON, or not of the handler's type, is a failed attempt.
- Something other than a list under a map, and a handler that does not exist, are problems of the
  definition or the deployment. They fail the run at once, whatever `when_exhausted` says. A map
  over nothing needs no handler. The tasks of a map whose handler does not exist are cancelled.
- A skip inside a subflow stays inside: when all its final steps are skipped it completes with
  null. What is inside a skipped subflow is skipped, with `dependency_skipped`; what is inside one
  that was cancelled, or that may not run (`when_unmet` is `fail`), is cancelled.
- A subflow step that may not run has its input in its subrun, which shows why it may not. That is
  no failure of the flow inside, so its failure step does not go on from it.
- A loop fails with the first failure that comes to its last step, by the order of dependencies.
- A step that fails before its input is put together hands none on to its failure step, and a
  subflow step inside a loop that catches it hands none on at all.
- A join fails with its members, whatever else would have it be skipped.
- Of the tasks of a map that failed, the first that is not to be tried again says whether it was a
  timeout, or else the first; and so does the first batch of those that failed.
- Where a flow goes on from a failure, all that does not depend on the failed step still does its
  work before it does, as before a run fails. One failed item leaves others alone, that wait too.
- A map inside an item is one op: its tasks are one batch, and it is never overtaken. Not so where a
  step of mode `run` lies between the two, or goes over the list: a run of its own has batches.
- A loop begins when all has ended that its body depends on outside. If one of these failed, nothing
  in it runs. Where the run does not come by, its first iteration is skipped.
- A loop whose last step is skipped in an iteration is skipped itself, for the same reason.
- A dependency that is skipped for a reason of its own lies on the route that the run takes all the
  same: a step where routes meet runs without it.
- A join that is skipped lies on no route that the run takes, if one of its dependencies does not;
  it cascades if one of them does.
- What a branch or a loop hands on without a handler is the output of its one dependency, whatever
  a loop adds to its input.
- What is to be merged and is no object fails the step before its conditions are looked at. Input
  that cannot be kept is not tried again, output that cannot, or that the flow cannot merge, is a
  failed attempt.
- A step that waits holds up all that depends on it, but for a join that waits for some and has
  enough without it. A run that fails meanwhile, or a flow inside, cancels what waits in it.
  A deadline at which a step is skipped skips it as a failure of its handler would.
- A pattern is an object, so it is contained in objects only: over a flow input that is none,
  `if` never holds and `if_not` always does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import (
    BranchStep,
    JoinStep,
    LoopStep,
    MapStep,
    SingleStep,
    SleepStep,
    Step,
    SubflowStep,
    WaitingStep,
)
from tests.reference.attempts import batch_size
from tests.reference.conditions import conditions_hold
from tests.reference.endings import (
    CANCELLED,
    FAILED,
    SKIPPED_WITHIN,
    Began,
    Failure,
    StepEnd,
    Subrun,
)
from tests.reference.expected_run import ExpectedRun
from tests.reference.loops import body_of, needs_of, parts_of
from tests.reference.mappings import LeadsNowhere, fits, returned_by
from tests.reference.merging import NotAnObject, as_object, kept, laid_over, mergeable, merged_input
from tests.reference.passing import cancelled_by, flow_inputs, hands_on, output_of, shown_input
from tests.reference.records import Records
from tests.reference.routing import decided, leads_to, members_of, missed_by, skip_by, step_of
from tests.reference.traces import failure_data, laid_over_received, told_of
from tests.reference.waiting import HELD, UNDER_WAY, Answers, not_held, without_handler
from tests.reference.working import Handlers, Scope, Worker


def interpret(
    flow: Flow,
    flows: Mapping[str, Flow],
    handlers: Handlers,
    flow_input: Any,
    answers: Answers | None = None,
    *,
    before: Mapping[str, StepEnd] | None = None,
) -> ExpectedRun:
    """Run a flow.

    Args:
        flow: The flow.
        flows: Those that it contains, by slug.
        handlers: What each handler does.
        flow_input: The input of the run.
        answers: How the waiting of steps ended; without an answer the run waits.
        before: How steps stood, by path, when the run began to wait before the last of these
            answers: a join that had enough without them is not done again.
    """
    interpreter = _Interpreter(
        flows=flows, worker=Worker(handlers), answers=answers or {}, earlier=before or {}
    )
    end = interpreter.run(Scope(flow, flow_input, ""))
    if end.status == "failed":
        interpreter.cancel_open()
    return ExpectedRun(
        "waiting" if end.is_open else end.status,
        end.output,
        interpreter.steps,
        interpreter.containers,
        interpreter.subruns,
        interpreter.lists,
        interpreter.worker.calls,
    )


@dataclass(kw_only=True)
class _Interpreter(Records):
    worker: Worker
    answers: Answers
    earlier: Mapping[str, StepEnd]

    def run(self, scope: Scope) -> StepEnd:
        """Run a flow; it ends as a step that runs it does."""
        ends: dict[str, StepEnd] = {}
        self._run_part(scope, scope.flow.steps, ends)
        if any(end.status == "failed" and not end.routed for end in ends.values()):
            return FAILED
        if any(end.is_open for end in ends.values()):
            return UNDER_WAY
        return StepEnd("completed", output_of(scope.flow, ends))

    def _run_part(self, scope: Scope, steps: Iterable[Step], ends: dict[str, StepEnd]) -> None:
        """Run the steps of a flow or of a body, and add how they ended to what has."""
        waiting = parts_of(scope.flow, steps, scope.loop)
        while waiting:
            needs = {step.slug: needs_of(scope.flow, step, scope.loop) for step in waiting}
            step = next(step for step in waiting if needs[step.slug] <= ends.keys())
            waiting.remove(step)
            if isinstance(step, LoopStep) and step is not scope.loop:
                before = {dep: ends[dep] for dep in needs[step.slug]}
                ends[step.slug] = self._iterations(scope, step, before)
            else:
                deps = {dep: ends[dep] for dep in step.depends_on}
                ends[step.slug] = self._end_of(scope, step, deps)
            self.steps[scope.path_of(step)] = ends[step.slug]

    def _iterations(self, scope: Scope, loop: LoopStep, outside: Mapping[str, StepEnd]) -> StepEnd:
        path, body = scope.path_of(loop), body_of(scope.flow, loop)
        self.containers.add(path)
        if any(end.ends_all_behind for end in outside.values()):
            self.close_part(scope.flow, body, loop, f"{path}[1]", CANCELLED)
            return cancelled_by(outside)
        if any(end.is_open for end in outside.values()):
            self.close_part(scope.flow, body, loop, f"{path}[1]", HELD)
            return HELD
        before = scope.before
        for iteration in count(1):
            place = f"{path}[{iteration}]"
            inside = replace(
                # Where each iteration is a run of its own, its maps are those of a run.
                scope,
                path=place,
                loop=loop,
                iteration=iteration,
                before=before,
                in_items=False,
            )
            ends = dict(outside)
            self._run_part(inside, body, ends)
            end = ends[loop.slug]
            if end.ends_all_behind:
                # Every step of the body leads to the loop, and so does every failure.
                self.cancel_open(place)
                return self._led(scope, loop, replace(FAILED, failure=end.failure))
            if end.is_open:
                return UNDER_WAY
            if not end.again:
                return replace(end, tasks=())
            before = {**scope.before, loop.slug: end.output}
        raise AssertionError("A loop has a last iteration.")

    def _end_of(self, scope: Scope, step: Step, deps: Mapping[str, StepEnd]) -> StepEnd:
        earlier = self.earlier.get(scope.path_of(step), HELD)
        if isinstance(step, JoinStep) and not earlier.is_open:
            return earlier
        if any(dep.ends_all_behind for dep in deps.values()):
            return self._cancelled(scope, step, deps)
        come = not_held(scope.flow, step, deps)
        if come is None:
            self.close(step, scope.path_of(step), HELD)
            return HELD
        return self._come_to(scope, step, come)

    def _come_to(self, scope: Scope, step: Step, deps: Mapping[str, StepEnd]) -> StepEnd:
        path = scope.path_of(step)
        if any(deps[slug].routed for slug in members_of(step)):
            return self._failed_with_members(scope, step, deps)
        skip = skip_by(scope.flow, step, deps)
        if skip is not None:
            self.close(step, path, SKIPPED_WITHIN)
            return skip
        missed = dict(missed_by(scope.flow, step, deps))
        came = [
            slug
            for slug, dep in deps.items()
            if slug not in missed and (dep.status == "completed" or dep.routed)
        ]
        if getattr(step, "merge_input", False):
            # In one object there is room for one failure.
            others = [slug for slug in came if deps[slug].routed][1:]
            came = [slug for slug in came if slug not in others]
        present = {slug: deps[slug].output for slug in came}
        loops = self._returned_by_loops(scope, step)
        given = present if step.depends_on else scope.input
        try:
            step_input = merged_input(scope.flow, step, given, loops)
        except NotAnObject:
            return self._unmerged(scope, step)
        scope = replace(scope, deps={**present, **loops} if step.depends_on else {})
        if conditions_hold(step, scope.asked(step, step_input)):
            end = self._work(scope, step, step_input, deps)
        else:
            end = self._unmet(scope, step, step_input)
        if end.status != "failed":
            return end
        known = end.failure or Failure(step.slug, end.timed_out)
        received = as_object(step_input) if hands_on(step) else None
        return self._led(scope, step, replace(end, failure=replace(known, received=received)))

    def _cancelled(self, scope: Scope, step: Step, deps: Mapping[str, StepEnd]) -> StepEnd:
        """End a step of which a dependency failed, or did not run because of that."""
        self.close(step, scope.path_of(step), CANCELLED)
        end = cancelled_by(deps)
        if isinstance(step, MapStep) and step.pipelined and not scope.in_items:
            overtaken = self.worker.overtaken(scope, step, *deps.items())
            return replace(overtaken, failure=end.failure)
        return end

    def _failed_with_members(
        self, scope: Scope, step: Step, deps: Mapping[str, StepEnd]
    ) -> StepEnd:
        """End a join that fails with some of its dependencies."""
        members, missed = members_of(step), dict(missed_by(scope.flow, step, deps))
        failed = tuple(slug for slug, dep in deps.items() if slug in members and dep.routed)
        returned = [
            dep.output
            for slug, dep in deps.items()
            if slug not in members and slug not in missed and dep.status == "completed"
        ]
        received = laid_over(filter(as_object, returned))
        failure = Failure(step.slug, received=received, members=failed)
        return self._led(scope, step, replace(FAILED, failure=failure))

    def _led(self, scope: Scope, step: Step, end: StepEnd) -> StepEnd:
        """Say how the flow goes on behind a step that failed, if it does."""
        path, failure = scope.path_of(step), end.failure
        assert failure is not None
        slug = leads_to(scope.flow, step, failure)
        # Where a loop decides, it is one of the steps that it repeats.
        if slug is None or step is scope.loop:
            return end
        if getattr(step_of(scope.flow, slug), "merge_input", False):
            output = laid_over_received(step, failure)
        else:
            child = failure_data(path, self.steps, self.containers, self.failed_items.get(path, ()))
            output = told_of(step, failure, child)
        return replace(end, output=output, leads_to=slug)

    def _returned_by_loops(self, scope: Scope, step: Step) -> dict[str, Any]:
        """Return what loops returned that go back to a step, after their iterations."""
        return {
            slug: output
            for slug, output in scope.before.items()
            if getattr(step_of(scope.flow, slug), "back_to", None) == step.slug
        }

    def _unmerged(self, scope: Scope, step: Step) -> StepEnd:
        """End a step of which a dependency returned no object that could be merged."""
        path = scope.path_of(step)
        self.close(step, path, CANCELLED)
        if isinstance(step, SubflowStep):
            self.subruns[path] = Subrun("failed")
        return self._led(scope, step, replace(FAILED, failure=Failure(step.slug)))

    def _unmet(self, scope: Scope, step: Step, step_input: Any) -> StepEnd:
        path = scope.path_of(step)
        if step.when_unmet == "fail":
            self.close(step, path, CANCELLED)
            if isinstance(step, SubflowStep) and step.over is None:
                self.subruns[path] = Subrun("failed", shown_input(scope, step, step_input))
            may_not_run = isinstance(step, SubflowStep)
            return replace(FAILED, failure=Failure(step.slug, may_not_run=may_not_run))
        self.close(step, path, SKIPPED_WITHIN)
        cascades = step.when_unmet == "skip-cascade"
        return StepEnd("skipped", skip_reason="condition_unmet", cascades=cascades)

    def _work(
        self, scope: Scope, step: Step, step_input: Any, deps: Mapping[str, StepEnd]
    ) -> StepEnd:
        match step:
            case SubflowStep():
                return self._subflow(scope, step, step_input)
            case SingleStep():
                return self.worker.single(scope, step, step_input)
            case MapStep():
                # A dependency that was skipped leaves its key out: then there is nothing to do.
                source = step.depends_on[0] if step.depends_on else None
                elements = step_input.get(source, []) if source else step_input
                if not isinstance(elements, list):
                    return FAILED
                size = batch_size(step, len(elements))
                if source and step.pipelined:
                    size = deps[source].batch_size
                if scope.in_items:
                    size = max(len(elements), 1)
                return self.worker.map(scope, step, elements, size)
            case JoinStep() | WaitingStep() | SleepStep():
                how = self.answers.get(scope.path_of(step))
                return without_handler(scope.flow, step, step_input, how)
            case BranchStep() | LoopStep():
                end = self.worker.deciding(scope, step, step_input)
                asked = scope.asked(step, step_input)
                return decided(step, asked, end) if end.status == "completed" else end

    def _subflow(self, scope: Scope, step: SubflowStep, step_input: Any) -> StepEnd:
        end, self.failed_items[scope.path_of(step)] = self._runs(scope, step, step_input)
        return end

    def _runs(self, scope: Scope, step: SubflowStep, step_input: Any) -> tuple[StepEnd, set[str]]:
        """Run the flow of a subflow step: once, or once for each item; name the items that fail."""
        path, child = scope.path_of(step), self.flows[step.flow]
        self.containers.add(path)
        try:
            given = flow_inputs(scope, step, step_input)
        except LeadsNowhere:
            if step.over is None:
                self.subruns[path] = Subrun("failed")
                self.close_flow(child, path, CANCELLED)
            return FAILED, set()
        if step.over is not None:
            self.lists[path] = len(given)
        in_items = step.mode == "inline" and (scope.in_items or step.over is not None)
        ends = {
            place: self._flow(Scope(child, value, place, in_items))
            for place, value in given.items()
        }
        failed = {place for place, end in ends.items() if end.status == "failed"}
        is_open = any(end.is_open for end in ends.values())
        if is_open and (not failed or leads_to(scope.flow, step, Failure(step.slug)) is not None):
            return UNDER_WAY, set()
        if failed:
            return FAILED, failed - {path}
        try:
            outputs = [returned_by(step, child, end.output) for end in ends.values()]
            output = outputs if step.over else kept(step, step_input, outputs[0])
            mergeable(scope.flow, step, output)
        except (LeadsNowhere, NotAnObject):
            if step.over is None:
                self.subruns[path] = replace(self.subruns[path], status="failed", output=None)
            return FAILED, set()
        return StepEnd("completed", output), set()

    def _flow(self, scope: Scope) -> StepEnd:
        """Run a flow inside another one."""
        end = FAILED
        if fits(scope.flow.input_schema, scope.input):
            end = self.run(scope)
            if end.status == "failed":
                self.cancel_open(scope.path)
        else:
            self.close_flow(scope.flow, scope.path, CANCELLED)
        self.subruns[scope.path] = Subrun(end.status, Began(scope.input), end.output)
        return end

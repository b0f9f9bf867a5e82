"""How the things of a run begin and end, one inside the other.

A task lies in a step, a step in a scope, and a scope (unless it is the run) in a subflow step of
the scope around it. So one beginning or end leads to others, and each is written once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from dagster_pgflow.model.event_types import EventType, RunEnd, RunEventType, StepEnding, TaskEnd
from dagster_pgflow.model.lowered import LoopNode
from dagster_pgflow.model.run_state import LogEvent
from dagster_pgflow.projection.layout.layout import Layout, Scope, Task
from dagster_pgflow.projection.translate.begun import Begun
from dagster_pgflow.projection.translate.drafts import Cause, EventDrafts
from dagster_pgflow.projection.translate.endings import RUN_ENDS, STEP_ENDS, SUBRUN_ENDS, TASK_ENDS
from dagster_pgflow.projection.translate.event_data import subrun_data
from dagster_pgflow.projection.translate.skips import Skip
from dagster_pgflow.step_path import RUN, StepPath


@dataclass(frozen=True)
class CaughtFailure:
    """A failure that the run goes on from.

    Attributes:
        by: What fails last: a step, the item of one, or an iteration of a loop.
        leads_to: The step that its flow goes on with; what older code reported does not say.
    """

    by: StepPath
    leads_to: str | None = None


class RunLifecycle:
    """What has begun and what has ended so far.

    Attributes:
        failure: The path of the first step that failed, and why.
    """

    def __init__(self, layout: Layout, drafts: EventDrafts, run_queued: Cause) -> None:
        self._layout = layout
        self._drafts = drafts
        self._begun = Begun(layout, run_queued)
        self._attempts: dict[Task, int] = {}
        self._trying: set[Task] = set()
        self._skipped_scopes: dict[StepPath, Skip] = {}
        self._cancelled_scopes: set[StepPath] = set()
        self._caught: dict[StepPath, str | None] = {}
        self._dead_ends: set[StepPath] = set()
        self._errors: dict[StepPath, str] = {}
        self._inputs: dict[StepPath, Mapping[str, Any]] = {}
        self._run_has_started = False
        self._run_is_over = False
        self._run_waits: Cause | None = None
        self._said_to_wait: set[StepPath] = set()
        self.failure: tuple[StepPath, str] | None = None

    def resume(self, events: Iterable[LogEvent]) -> None:
        """Take over what events say that has begun and ended."""
        self._begun.resume(events)

    def open_run(self) -> None:
        """Write that the run has started; a worker that takes a run over does not start it."""
        if not self._run_has_started:
            self._run_has_started = True
            queued = self._begun.scopes[RUN]
            self._begun.scopes[RUN] = self._drafts.write("run.started", {}, parent=queued)

    def wait_step(self, path: StepPath, data: Mapping[str, Any]) -> None:
        """Write that a step waits; one that is asked again, when its run goes on, has said so."""
        if path in self._begun.ended_steps or path in self._said_to_wait:
            return
        self.open_step(path)
        self._said_to_wait.add(path)
        self._begun.waiting.add(path)
        self.note("step.waiting", path, data)

    def hold(self, waiting_step: StepPath) -> None:
        """Remember that something has to wait for a step, which may not have said why."""
        if waiting_step in self._layout.steps:
            self._begun.waiting.add(waiting_step)

    def waiting_steps(self) -> list[StepPath]:
        """Return the steps that wait, in the order of their names."""
        return sorted(filter(self._begun.waits, self._begun.waiting))

    def pause_run(self, happened: RunEventType, data: Mapping[str, Any]) -> None:
        """Write that nothing of the run is at work until it goes on, least of all what failed."""
        for path in self._errors:
            self.cancel_inside(path)
        self._run_waits = self._drafts.write(happened, data, parent=self._begun.scopes[RUN])

    def resume_run(self, dagster_run_id: UUID) -> None:
        """Write that a run goes on that waited, or lost its process, and in which Dagster run."""
        if self._run_waits is not None:
            data = {"dagster_run_id": str(dagster_run_id)}
            self._drafts.write("run.resumed", data, parent=self._run_waits)
            self._run_waits = None

    def open_step(self, path: StepPath) -> None:
        """Write that a step has started, after the scopes around it."""
        if path in self._begun.steps or path in self._begun.ended_steps:
            return
        scope = self._layout.steps[path].scope
        self.open_scope(scope)
        self._begun.steps[path] = self._drafts.write(
            "step.started", {}, parent=self._begun.opener_of(scope), correlation=path
        )

    def receive(self, path: StepPath, data: Mapping[str, Any]) -> None:
        """Remember what an op says of a scope before it begins: its run, what its flow is given."""
        self._inputs[path] = data

    def open_scope(self, path: StepPath) -> None:
        """Write that a scope has started, after the step that it belongs to."""
        if path in self._begun.scopes or path in self._begun.ended_scopes:
            return
        scope = self._layout.scopes[path]
        self.open_step(scope.step)
        if scope.iteration is not None:
            self._open_iteration(scope)
            return
        self._begun.scopes[path] = self._drafts.write(
            "subrun.started",
            {**subrun_data(scope), **self._inputs.get(path, {})},
            parent=self._begun.cause_in(scope.step),
            correlation=scope.subrun_path,
        )

    def _open_iteration(self, scope: Scope) -> None:
        loop = self._layout.steps[scope.step].step
        assert isinstance(loop, LoopNode)  # noqa: S101
        data = {"max_iterations": loop.loop.max_iterations}
        self._begun.scopes[scope.path] = self._drafts.write(
            "loop.started", data, parent=self._begun.cause_in(scope.step), correlation=scope.step
        )

    def iterate(self, loop: StepPath, data: Mapping[str, Any], following: StepPath | None) -> None:
        """Write that an iteration of a loop is over.

        Args:
            loop: The path of the loop.
            data: What to write about that.
            following: The path of the iteration that follows, if one does.
        """
        over = loop.at(data["iteration"])
        iterated = self._drafts.write(
            "loop.iterated",
            data,
            parent=self._begun.opener_of(over),
            correlation=loop,
        )
        if following is not None:
            self._begun.scopes[following] = iterated

    def open_task(self, task: Task, attempt: int, pid: int | None = None) -> None:
        """Write that an attempt of a task has started, and in which process."""
        if task in self._begun.ended_tasks:
            return
        self._attempts[task] = attempt
        self._trying.add(task)
        path, index = task
        cause = self._begun.tasks.get(task) or self._begun.cause_in(path)
        self._begun.tasks[task] = self._drafts.write(
            "task.started",
            {"task_index": index, "attempt": attempt, **({} if pid is None else {"pid": pid})},
            parent=cause,
            correlation=path,
        )

    def retry_task(self, task: Task, data: Mapping[str, Any]) -> None:
        """Write that an attempt of a task failed and that another one follows."""
        if task in self._begun.ended_tasks:
            return
        self._trying.discard(task)
        path, index = task
        self._begun.tasks[task] = self._drafts.write(
            "task.retrying",
            {"task_index": index, **data},
            parent=self._begun.tasks.get(task) or self._begun.cause_in(path),
            correlation=path,
        )

    def end_task(self, task: Task, ending: TaskEnd, data: Mapping[str, Any]) -> None:
        """Write how a task ended."""
        if task in self._begun.ended_tasks:
            return
        self._begun.ended_tasks.add(task)
        path, index = task
        self._drafts.write(
            TASK_ENDS[ending],
            {"task_index": index, **data},
            parent=self._begun.tasks.get(task) or self._begun.cause_in(path),
            correlation=path,
        )

    def is_open(self, task: Task) -> bool:
        """Return whether a task has begun and not ended."""
        return task in self._begun.tasks and task not in self._begun.ended_tasks

    def attempts_of(self, task: Task) -> int:
        """Return the number of a task's last attempt, 0 when it has had none."""
        return self._attempts.get(task, 0)

    def tasks_tried(self) -> list[Task]:
        """Return the tasks of which an attempt is under way, in their order."""
        return [task for task in self._begun.tasks if task in self._trying and self.is_open(task)]

    def is_tried(self, task: Task) -> bool:
        """Return whether an attempt of a task is under way."""
        return task in self._trying

    def note(self, event_type: EventType, path: StepPath, data: Mapping[str, Any]) -> None:
        """Write something about a step that neither begins nor ends it."""
        self._drafts.write(event_type, data, parent=self._begun.cause_in(path), correlation=path)

    def is_over(self, path: StepPath) -> bool:
        """Return whether a step has ended."""
        return path in self._begun.ended_steps

    def complete_step(self, path: StepPath, data: Mapping[str, Any]) -> None:
        """Write that a step has completed, and what follows from it.

        What lies around it has begun before, also where it was done in a run before this one.
        """
        self.open_scope(self._layout.steps[path].scope)
        if path in self._layout.scopes:
            self._end_scope(path, "completed", {}, data)
        else:
            self._end_step(path, "completed", data)

    def fail(self, path: StepPath, error: str, caught: CaughtFailure | None = None) -> None:
        """Write that a step or an item has failed, and with it every scope around it.

        Args:
            path: The step, or the item.
            error: Why.
            caught: What fails with it while the flow around that goes on, if it does.
        """
        if caught is not None:
            scope = self._layout.scopes.get(caught.by)
            is_iteration = scope is not None and scope.iteration is not None
            fails = caught.by.step if is_iteration else caught.by
            self._caught[fails] = caught.leads_to or self._layout.goes_on_behind(fails.step)
        else:
            self.failure = self.failure or (path, error)
        if path in self._layout.scopes:
            self._end_scope(path, "failed", {"error": error})
        if path in self._layout.steps:
            self._end_step(path, "failed", {"error": error})

    def cancel_step(self, path: StepPath) -> None:
        """Write that a step is not to run, because a subflow around it failed."""
        for task in [task for task in self._begun.tasks if task[0] == path]:
            self.end_task(task, "cancelled", {})
        if path in self._layout.scopes:
            self._end_scope(path, "cancelled", {})
        else:
            self._end_step(path, "cancelled", {})

    def cancel_inside(self, path: StepPath) -> None:
        """Write that nothing is left to run of a subflow or an item that failed."""
        inside = [s for s in self._layout.scopes.values() if self._layout.is_inside(s.path, path)]
        for task in list(self._begun.tasks):
            if self._layout.is_inside(self._layout.steps[task[0]].scope, path):
                self.end_task(task, "cancelled", {})
        for scope in reversed(inside):
            for step in scope.steps:
                if not self._layout.steps[step].is_subflow:
                    self._end_step(step, "cancelled", {})

    def error_of_items(self, path: StepPath) -> str | None:
        """Return what failed the first of the items that failed, of a step that has items."""
        failed = [scope for scope in self._errors if self._layout.scopes[scope].step == path]
        failed.sort(key=lambda scope: self._layout.scopes[scope].map_index or 0)
        return self._errors[failed[0]] if failed else None

    def end_route(self, path: StepPath) -> None:
        """Remember that what depends on a step is skipped too, unless other routes lead there."""
        self._dead_ends.add(path)

    def skip_step(self, path: StepPath, skip: Skip) -> None:
        """Write that a step is skipped, and what follows from it.

        Args:
            path: The step.
            skip: Why: it began at this step, or at a subflow around it.
        """
        scope = self._layout.steps[path].scope
        if self._layout.is_inside(scope, skip.origin):
            self._skipped_scopes[scope] = skip
        ends_route = {"ends_route": True} if path in self._dead_ends else {}
        self._end_step(path, "skipped", {**skip.data_of(path), **ends_route})

    def end_run(self, ending: RunEnd, error: str | None) -> None:
        """Write that everything unfinished is cancelled, and how the run ended."""
        self._run_is_over = True
        for task in [task for task in self._begun.tasks if task not in self._begun.ended_tasks]:
            self.end_task(task, "cancelled", {})
        for scope in reversed(tuple(self._layout.scopes.values())):
            for path in scope.steps:
                self._end_step(path, "cancelled", {})
            if scope.path != RUN:
                empty = not scope.steps and ending == "completed"
                self._end_scope(scope.path, "completed" if empty else "cancelled", {})
        data = {} if error is None else {"error": error}
        self._drafts.write(RUN_ENDS[ending], data, parent=self._begun.scopes[RUN])

    def _end_step(self, path: StepPath, ending: StepEnding, data: Mapping[str, Any]) -> None:
        if path in self._begun.ended_steps:
            return
        self._begun.ended_steps.add(path)
        place = self._layout.steps[path]
        is_caught = ending == "failed" and path in self._caught
        route = {"on_failure": self._caught[path]} if is_caught else {}
        self._drafts.write(
            STEP_ENDS[ending],
            {**data, **route},
            parent=self._begun.cause_in(path),
            correlation=path,
        )
        if place.scope == RUN or self._run_is_over:
            return
        if ending == "failed" and not is_caught:
            self._end_scope(place.scope, "failed", data)
            return
        if ending == "cancelled":
            self._cancelled_scopes.add(place.scope)
        if self._begun.ended_steps.issuperset(self._layout.scopes[place.scope].steps):
            self._settle_scope(place.scope)

    def _settle_scope(self, path: StepPath) -> None:
        """End a scope whose steps have all ended; a skip from outside skips the scope itself."""
        scope = self._layout.scopes[path]
        if scope.iteration is not None:
            # What follows from an iteration, its loop says.
            self._begun.ended_scopes.add(path)
            return
        if path in self._cancelled_scopes:
            self._end_scope(path, "cancelled", {})
        elif path in self._skipped_scopes:
            self._end_scope(path, "skipped", self._skipped_scopes[path].data_of(scope.step))
        elif scope.map_index is not None or not self._layout.steps[scope.step].has_output_op:
            self._end_scope(path, "completed", {})

    def _end_scope(
        self,
        path: StepPath,
        ending: StepEnding,
        data: Mapping[str, Any],
        of_step: Mapping[str, Any] | None = None,
    ) -> None:
        """End a scope, and with it its step; other items go on beside one that has ended.

        Args:
            path: The scope.
            ending: How.
            data: What to write about that.
            of_step: What to write about the end of its step, when that is something else.
        """
        if path in self._begun.ended_scopes:
            return
        if self._layout.scopes[path].iteration is not None:
            self._begun.ended_scopes.add(path)
            if not self._run_is_over:
                self._end_step(self._layout.scopes[path].step, ending, data)
            self._cancel_waiting(path)
            return
        if ending in ("completed", "failed"):
            self.open_scope(path)
        self._begun.ended_scopes.add(path)
        scope = self._layout.scopes[path]
        self._drafts.write(
            SUBRUN_ENDS[ending],
            {**subrun_data(scope), **data},
            parent=self._begun.scopes.get(path) or self._begun.cause_in(scope.step),
            correlation=scope.subrun_path,
        )
        self._cancel_waiting(path)
        if ending == "failed":
            self._errors[path] = data["error"]
        if scope.map_index is not None and (ending != "failed" or path in self._caught):
            return
        if ending == "skipped":
            self.skip_step(scope.step, self._skipped_scopes[path])
        else:
            self._end_step(scope.step, ending, data if of_step is None else of_step)

    def _cancel_waiting(self, scope: StepPath) -> None:
        """Write that steps do not wait any more whose scope is over without them."""
        for path in [path for path in self._begun.waiting if path in self._said_to_wait]:
            if self._layout.is_inside(self._layout.steps[path].scope, scope):
                self._end_step(path, "cancelled", {})

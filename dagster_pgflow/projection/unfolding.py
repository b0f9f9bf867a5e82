"""How the things of a run begin and end, one inside the other.

A task lies in a step, a step in a scope, and a scope (unless it is the run) in a subflow step of
the scope around it. So one beginning or end leads to others, and each is written once.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal
from uuid import UUID

from dagster_pgflow.model.loops import RepeatedStep
from dagster_pgflow.model.run_state import LogEvent, SkipReason
from dagster_pgflow.names import pass_path
from dagster_pgflow.projection.event_writer import EventWriter
from dagster_pgflow.projection.layout import RUN_SCOPE, Layout, Scope, Task

Ending = Literal["completed", "failed", "skipped", "cancelled"]
_ENDINGS: Final = ("completed", "failed", "skipped", "cancelled")


class Unfolding:
    """What has begun and what has ended so far.

    Attributes:
        failure: The path of the first step that failed, and why.
    """

    def __init__(self, layout: Layout, writer: EventWriter, run_queued: UUID) -> None:
        self._layout = layout
        self._writer = writer
        self._scope_openers: dict[str, UUID] = {RUN_SCOPE: run_queued}
        self._step_openers: dict[str, UUID] = {}
        self._task_openers: dict[Task, UUID] = {}
        self._attempts: dict[Task, int] = {}
        self._trying: set[Task] = set()
        self._ended_scopes: set[str] = set()
        self._ended_steps: set[str] = set()
        self._ended_tasks: set[Task] = set()
        self._skipped_scopes: dict[str, tuple[SkipReason, str]] = {}
        self._cancelled_scopes: set[str] = set()
        self._caught: set[str] = set()
        self._dead_ends: set[str] = set()
        self._errors: dict[str, str] = {}
        self._inputs: dict[str, Mapping[str, Any]] = {}
        self._run_has_started = False
        self._run_is_over = False
        self.failure: tuple[str, str] | None = None

    def resume(self, events: Iterable[LogEvent]) -> None:
        """Take over what events say that has begun and ended."""
        begun: dict[str, dict[Any, UUID]] = {
            "run": self._scope_openers,
            "subrun": self._scope_openers,
            "step": self._step_openers,
            "task": self._task_openers,
        }
        over: dict[str, set[Any]] = {
            "run": set(),
            "subrun": self._ended_scopes,
            "step": self._ended_steps,
            "task": self._ended_tasks,
        }
        for event in events:
            thing, _, happened = event.event_type.partition(".")
            if thing not in begun:
                continue
            name: Any = event.correlation_id or RUN_SCOPE
            if thing == "task":
                name = (name, event.event_data["task_index"])
            elif thing == "subrun":
                name = self._layout.subruns[name].path
            if thing == "loop":
                self._resume_loop(name, event)
            elif happened == "started" or event.event_type == "task.retrying":
                begun[thing][name] = event.event_id
            elif happened in _ENDINGS:
                over[thing].add(name)

    def _resume_loop(self, path: str, event: LogEvent) -> None:
        if event.event_type == "loop.started":
            self._scope_openers[pass_path(path, 1)] = event.event_id
        elif event.event_data.get("again"):
            following = pass_path(path, event.event_data["iteration"] + 1)
            self._scope_openers[following] = event.event_id

    def open_run(self) -> None:
        """Write that the run has started; a worker that takes a run over does not start it."""
        if not self._run_has_started:
            self._run_has_started = True
            queued = self._scope_openers[RUN_SCOPE]
            self._scope_openers[RUN_SCOPE] = self._writer.write("run.started", {}, parent=queued)

    def open_step(self, path: str) -> None:
        """Write that a step has started, after the scopes around it."""
        if path in self._step_openers or path in self._ended_steps:
            return
        scope = self._layout.steps[path].scope
        self.open_scope(scope)
        self._step_openers[path] = self._writer.write(
            "step.started", {}, parent=self._opener_of(scope), correlation=path
        )

    def receive(self, path: str, data: Mapping[str, Any]) -> None:
        """Remember what an op says of a scope before it begins: its run, what its flow is given."""
        self._inputs[path] = data

    def open_scope(self, path: str) -> None:
        """Write that a scope has started, after the step that it belongs to."""
        if path in self._scope_openers or path in self._ended_scopes:
            return
        scope = self._layout.scopes[path]
        self.open_step(scope.step)
        if scope.iteration is not None:
            self._open_pass(scope)
            return
        self._scope_openers[path] = self._writer.write(
            "subrun.started",
            {**_identity(scope), **self._inputs.get(path, {})},
            parent=self._cause_in(scope.step),
            correlation=scope.subrun_path,
        )

    def _open_pass(self, scope: Scope) -> None:
        loop = self._layout.steps[scope.step].step
        assert isinstance(loop, RepeatedStep)  # noqa: S101
        told = {"max_iterations": loop.loop.max_iterations}
        self._scope_openers[scope.path] = self._writer.write(
            "loop.started", told, parent=self._cause_in(scope.step), correlation=scope.step
        )

    def iterate(self, loop: str, data: Mapping[str, Any], following: str | None) -> None:
        """Write that a pass of a loop is over.

        Args:
            loop: The path of the loop.
            data: What to tell about that.
            following: The path of the pass that follows, if one does.
        """
        pass_over = pass_path(loop, data["iteration"])
        told = self._writer.write(
            "loop.iterated",
            data,
            parent=self._opener_of(pass_over),
            correlation=loop,
        )
        if following is not None:
            self._scope_openers[following] = told

    def open_task(self, task: Task, attempt: int, pid: int | None = None) -> None:
        """Write that an attempt of a task has started, and in which process."""
        if task in self._ended_tasks:
            return
        self._attempts[task] = attempt
        self._trying.add(task)
        path, index = task
        cause = self._task_openers.get(task) or self._cause_in(path)
        self._task_openers[task] = self._writer.write(
            "task.started",
            {"task_index": index, "attempt": attempt, **({} if pid is None else {"pid": pid})},
            parent=cause,
            correlation=path,
        )

    def retry_task(self, task: Task, data: Mapping[str, Any]) -> None:
        """Write that an attempt of a task failed and that another one follows."""
        if task in self._ended_tasks:
            return
        self._trying.discard(task)
        path, index = task
        self._task_openers[task] = self._writer.write(
            "task.retrying",
            {"task_index": index, **data},
            parent=self._task_openers.get(task) or self._cause_in(path),
            correlation=path,
        )

    def end_task(self, task: Task, ending: Ending, data: Mapping[str, Any]) -> None:
        """Write how a task ended."""
        if task in self._ended_tasks:
            return
        self._ended_tasks.add(task)
        path, index = task
        self._writer.write(
            f"task.{ending}",
            {"task_index": index, **data},
            parent=self._task_openers.get(task) or self._cause_in(path),
            correlation=path,
        )

    def is_open(self, task: Task) -> bool:
        """Say whether a task has begun and not ended."""
        return task in self._task_openers and task not in self._ended_tasks

    def attempts_of(self, task: Task) -> int:
        """Return the number of a task's last attempt, 0 when it has had none."""
        return self._attempts.get(task, 0)

    def is_tried(self, task: Task) -> bool:
        """Say whether an attempt of a task is under way."""
        return task in self._trying

    def note(self, event_type: str, path: str, data: Mapping[str, Any]) -> None:
        """Write something about a step that neither begins nor ends it."""
        self._writer.write(event_type, data, parent=self._cause_in(path), correlation=path)

    def complete_step(self, path: str, data: Mapping[str, Any]) -> None:
        """Write that a step has completed, and what follows from it.

        What lies around it has begun before, also where it was done in a run before this one.
        """
        self.open_scope(self._layout.steps[path].scope)
        if path in self._layout.scopes:
            self._end_scope(path, "completed", {}, data)
        else:
            self._end_step(path, "completed", data)

    def fail(self, path: str, error: str, caught_by: str | None = None) -> None:
        """Write that a step or an item has failed, and with it every subrun around it.

        Args:
            path: The step, or the item.
            error: Why.
            caught_by: The path of the subflow, or of its item, that fails with it while the flow
                around it goes on.
        """
        if caught_by is not None:
            self._caught.add(caught_by)
        else:
            self.failure = self.failure or (path, error)
        if path in self._layout.scopes:
            self._end_scope(path, "failed", {"error": error})
        if path in self._layout.steps:
            self._end_step(path, "failed", {"error": error})

    def cancel_step(self, path: str) -> None:
        """Write that a step is not to run, because a subflow around it failed."""
        for task in [task for task in self._task_openers if task[0] == path]:
            self.end_task(task, "cancelled", {})
        if path in self._layout.scopes:
            self._end_scope(path, "cancelled", {})
        else:
            self._end_step(path, "cancelled", {})

    def cancel_inside(self, path: str) -> None:
        """Write that nothing is left to run of a subflow or an item that failed."""
        inside = [s for s in self._layout.scopes.values() if self._layout.is_inside(s.path, path)]
        for task in list(self._task_openers):
            if self._layout.is_inside(self._layout.steps[task[0]].scope, path):
                self.end_task(task, "cancelled", {})
        for scope in reversed(inside):
            for step in scope.steps:
                if not self._layout.steps[step].is_subflow:
                    self._end_step(step, "cancelled", {})

    def error_of_items(self, path: str) -> str | None:
        """Return what failed the first of the items that failed, of a step that has items."""
        failed = (scope for scope in self._errors if self._layout.scopes[scope].step == path)
        first = min(failed, key=lambda scope: self._layout.scopes[scope].map_index or 0, default="")
        return self._errors.get(first)

    def end_way(self, path: str) -> None:
        """Remember that what depends on a step is skipped with it, unless other ways lead there."""
        self._dead_ends.add(path)

    def skip_step(self, path: str, reason: SkipReason, origin: str) -> None:
        """Write that a step is skipped, and what follows from it.

        Args:
            path: The step.
            reason: Why the step of the origin is skipped.
            origin: The path of the step where the skip began: this one or a subflow around it.
        """
        scope = self._layout.steps[path].scope
        if self._layout.is_inside(scope, origin):
            self._skipped_scopes[scope] = (reason, origin)
        told = reason if origin == path else "dependency_skipped"
        ends_way = {"ends_way": True} if path in self._dead_ends else {}
        self._end_step(path, "skipped", {"skip_reason": told, **ends_way})

    def end_run(self, ending: Ending, error: str | None) -> None:
        """Write that everything unfinished is cancelled, and how the run ended."""
        self._run_is_over = True
        for task in [task for task in self._task_openers if task not in self._ended_tasks]:
            self.end_task(task, "cancelled", {})
        for scope in reversed(tuple(self._layout.scopes.values())):
            for path in scope.steps:
                self._end_step(path, "cancelled", {})
            if scope.path != RUN_SCOPE:
                empty = not scope.steps and ending == "completed"
                self._end_scope(scope.path, "completed" if empty else "cancelled", {})
        data = {} if error is None else {"error": error}
        self._writer.write(f"run.{ending}", data, parent=self._scope_openers[RUN_SCOPE])

    def _end_step(self, path: str, ending: Ending, data: Mapping[str, Any]) -> None:
        if path in self._ended_steps:
            return
        self._ended_steps.add(path)
        place = self._layout.steps[path]
        is_caught = ending == "failed" and path in self._caught
        told = {"on_failure": getattr(place.step, "on_failure", None)} if is_caught else {}
        self._writer.write(
            f"step.{ending}", {**data, **told}, parent=self._cause_in(path), correlation=path
        )
        if place.scope == RUN_SCOPE or self._run_is_over:
            return
        if ending == "failed" and not is_caught:
            self._end_scope(place.scope, "failed", data)
            return
        if ending == "cancelled":
            self._cancelled_scopes.add(place.scope)
        if self._ended_steps.issuperset(self._layout.scopes[place.scope].steps):
            self._settle_scope(place.scope)

    def _settle_scope(self, path: str) -> None:
        """End a scope whose steps have all ended; a skip from outside skips the scope itself."""
        scope = self._layout.scopes[path]
        if scope.iteration is not None:
            # What follows from a pass, its loop says.
            self._ended_scopes.add(path)
            return
        if path in self._cancelled_scopes:
            self._end_scope(path, "cancelled", {})
        elif path in self._skipped_scopes:
            reason, origin = self._skipped_scopes[path]
            told = reason if origin == scope.step else "dependency_skipped"
            self._end_scope(path, "skipped", {"skip_reason": told})
        elif scope.map_index is not None or not self._layout.steps[scope.step].has_output_op:
            self._end_scope(path, "completed", {})

    def _end_scope(
        self,
        path: str,
        ending: Ending,
        data: Mapping[str, Any],
        of_step: Mapping[str, Any] | None = None,
    ) -> None:
        """End a scope, and with it its step; other items go on beside one that has ended.

        Args:
            path: The scope.
            ending: How.
            data: What to tell about that.
            of_step: What to tell about the end of its step, when that is something else.
        """
        if path in self._ended_scopes:
            return
        if self._layout.scopes[path].iteration is not None:
            self._ended_scopes.add(path)
            if not self._run_is_over:
                self._end_step(self._layout.scopes[path].step, ending, data)
            return
        if ending in ("completed", "failed"):
            self.open_scope(path)
        self._ended_scopes.add(path)
        scope = self._layout.scopes[path]
        self._writer.write(
            f"subrun.{ending}",
            {**_identity(scope), **data},
            parent=self._scope_openers.get(path) or self._cause_in(scope.step),
            correlation=scope.subrun_path,
        )
        if ending == "failed":
            self._errors[path] = data["error"]
        if scope.map_index is not None and (ending != "failed" or path in self._caught):
            return
        if ending == "skipped":
            self.skip_step(scope.step, *self._skipped_scopes[path])
        else:
            self._end_step(scope.step, ending, data if of_step is None else of_step)

    def _cause_in(self, path: str) -> UUID:
        """Return what a step began with, or else what the innermost scope around it did."""
        return self._step_openers.get(path) or self._opener_of(self._layout.steps[path].scope)

    def _opener_of(self, scope: str) -> UUID:
        while scope not in self._scope_openers:
            scope = self._layout.scopes[scope].parent or RUN_SCOPE
        return self._scope_openers[scope]


def _identity(scope: Scope) -> dict[str, Any]:
    """Return what every event about a subrun says."""
    slug = scope.step.rpartition(".")[2]
    told = {"step_path": scope.step, "label": f"Subrun #{scope.run_index} of step {slug}"}
    return told if scope.map_index is None else {**told, "map_index": scope.map_index}

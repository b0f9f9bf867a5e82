"""What of a run has begun, with which event, and what has ended: so that each is written once."""

from collections.abc import Iterable

from dagster_pgflow.model.run_state import LogEvent
from dagster_pgflow.projection.layout.layout import Layout, Task
from dagster_pgflow.projection.translate.drafts import Cause
from dagster_pgflow.projection.translate.endings import STEP_ENDS, SUBRUN_ENDS, TASK_ENDS
from dagster_pgflow.step_path import RUN, StepPath


class Begun:
    """What has begun and what has ended so far.

    Attributes:
        scopes: The events that the run, subruns and iterations began with, by their paths.
        steps: Those of steps.
        tasks: Those of tasks: of each the one that its last attempt began with, or waits since.
        ended_scopes: The scopes that are over.
        ended_steps: The steps that are.
        ended_tasks: The tasks that are.
        waiting: The steps that something has waited for, whether or not it still does.
    """

    def __init__(self, layout: Layout, run_queued: Cause) -> None:
        self._layout = layout
        self.scopes: dict[StepPath, Cause] = {RUN: run_queued}
        self.steps: dict[StepPath, Cause] = {}
        self.tasks: dict[Task, Cause] = {}
        self.ended_scopes: set[StepPath] = set()
        self.ended_steps: set[StepPath] = set()
        self.ended_tasks: set[Task] = set()
        self.waiting: set[StepPath] = set()

    def resume(self, events: Iterable[LogEvent]) -> None:
        """Take over what events say that has begun and ended."""
        for event in events:
            match event.event_type:
                case "run.started":
                    self.scopes[RUN] = event.event_id
                case "subrun.started":
                    self.scopes[self._scope_of(event)] = event.event_id
                case "step.started":
                    self.steps[self._step_of(event)] = event.event_id
                case "task.started" | "task.retrying":
                    self.tasks[self._task_of(event)] = event.event_id
                case "loop.started" | "loop.iterated":
                    self._resume_loop(event)
                case _:
                    self._resume_end(event)

    def _resume_end(self, event: LogEvent) -> None:
        if event.event_type in SUBRUN_ENDS.values():
            self.ended_scopes.add(self._scope_of(event))
        elif event.event_type in STEP_ENDS.values():
            self.ended_steps.add(self._step_of(event))
        elif event.event_type in TASK_ENDS.values():
            self.ended_tasks.add(self._task_of(event))

    def _resume_loop(self, event: LogEvent) -> None:
        loop = self._step_of(event)
        if event.event_type == "loop.started":
            self.scopes[loop.at(1)] = event.event_id
        elif event.event_data["again"]:
            following = loop.at(event.event_data["iteration"] + 1)
            self.scopes[following] = event.event_id

    def _scope_of(self, event: LogEvent) -> StepPath:
        return self._layout.subruns[str(event.correlation_id)].path

    def _step_of(self, event: LogEvent) -> StepPath:
        return self._layout.steps[str(event.correlation_id)].path

    def _task_of(self, event: LogEvent) -> Task:
        return self._step_of(event), event.event_data["task_index"]

    def cause_in(self, path: StepPath) -> Cause:
        """Return what a step began with, or else what the innermost scope around it did."""
        return self.steps.get(path) or self.opener_of(self._layout.steps[path].scope)

    def waits(self, path: StepPath) -> bool:
        """Return whether a step has waited and neither it nor what it lies in is over."""
        if path not in self.waiting or path in self.ended_steps:
            return False
        around: StepPath | None = self._layout.steps[path].scope
        while around is not None and around not in self.ended_scopes:
            around = self._layout.scopes[around].parent
        return around is None

    def opener_of(self, scope: StepPath) -> Cause:
        """Return what the innermost scope that has begun, at a path or around it, began with."""
        while scope not in self.scopes:
            scope = self._layout.scopes[scope].parent or RUN
        return self.scopes[scope]

"""From the event log to the rows of the run tables: pure, and the same every time.

What the fold reads is exactly what `pgflow.event_log` holds, the pinned definitions, and the
outputs that were too large for an event. So the tables can be made again from these at any time.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

from dagster_pgflow.model.defaults import input_of_run
from dagster_pgflow.model.event_types import (
    RunEnd,
    RunEventType,
    SilentEventType,
    StepEnding,
    StepEventType,
    SubrunEventType,
    TaskEnd,
    TaskEventType,
)
from dagster_pgflow.model.run_state import (
    Json,
    LogEvent,
    RunState,
    StepRow,
    SubrunRow,
    TaskRow,
)
from dagster_pgflow.projection.fold.attempts import Attempts, Task
from dagster_pgflow.projection.fold.created import (
    created_step,
    created_subrun,
    queued_run,
    queued_task,
)
from dagster_pgflow.projection.fold.executed import executed, in_order
from dagster_pgflow.projection.fold.outputs import (
    Outputs,
    elsewhere,
    is_elsewhere,
    output_in,
    output_of_scope,
    output_of_task,
)
from dagster_pgflow.projection.fold.received import received
from dagster_pgflow.projection.fold.task_rows import ended_task, retried_task, started_task
from dagster_pgflow.projection.layout.layout import Layout, Scope
from dagster_pgflow.runtime.values import error_element
from dagster_pgflow.step_path import RUN, StepPath

_UNFINISHED = ("queued", "started")


def fold(layout: Layout, events: Iterable[LogEvent], outputs: Outputs) -> RunState:
    """Return the rows that a run's events add up to.

    Args:
        layout: The layout of the run, with the items that its events announce.
        events: All its events, in any order and any number of times each.
        outputs: At least those that events name in `output_of`.
    """
    ordered = in_order(events)
    state = _Fold(layout, ordered[0], outputs)
    for event in ordered[1:]:
        state.apply(event)
    result = state.result()
    return replace(result, execution=executed(layout, ordered, result))


def _changes_nothing(_event_type: SilentEventType) -> None:
    """Do nothing; with an event that is not listed, the type checker says so."""


class _Fold:
    def __init__(self, layout: Layout, queued: LogEvent, outputs: Outputs) -> None:
        self._layout = layout
        self._outputs = outputs
        self._dependents: dict[str, list[str]] = defaultdict(list)
        for place in layout.steps.values():
            for dep in place.needs:
                self._dependents[dep].append(place.path)
        self._settled: set[str] = set()
        self._run = queued_run(layout, queued)
        self._subruns: dict[str, SubrunRow] = {}
        self._steps: dict[str, StepRow] = {}
        self._create(None, queued.timestamp)
        self._tasks: dict[str, dict[int, TaskRow]] = defaultdict(dict)
        self._attempts = Attempts()
        self._error_elements: dict[Task, Json] = {}

    def _create(self, within: str | None, at: datetime) -> None:
        """Add what there is from the start, or as soon as a step knows its items."""
        for scope in self._layout.scopes_within[within]:
            if scope.path != RUN and scope.iteration is None:
                self._subruns[scope.path] = created_subrun(self._layout, scope, at)
        for place in self._layout.steps_within[within]:
            left = sum(dep not in self._settled for dep in place.needs)
            self._steps[place.path] = created_step(self._layout, place, at, remaining_deps=left)

    def apply(self, event: LogEvent) -> None:
        match happened := event.event_type:
            case "run.started" | "run.waiting" | "run.interrupted" | "run.resumed":
                self._apply_to_run(event, happened)
            case "run.completed" | "run.failed" | "run.cancelled":
                self._apply_to_run(event, happened)
            case (
                "subrun.started"
                | "subrun.completed"
                | "subrun.failed"
                | "subrun.skipped"
                | "subrun.cancelled"
            ):
                self._apply_to_subrun(event, happened)
            case "step.queued" | "step.started" | "step.waiting" | "step.completed":
                self._apply_to_step(event, happened)
            case "step.failed" | "step.skipped" | "step.cancelled":
                self._apply_to_step(event, happened)
            case (
                "task.started"
                | "task.retrying"
                | "task.completed"
                | "task.failed"
                | "task.cancelled"
            ):
                self._apply_to_task(event, happened)
            case "loop.iterated":
                self._begin_iteration(event)
            case _:
                _changes_nothing(happened)
        if event.timestamp > self._run.updated_at:
            self._run = replace(self._run, updated_at=event.timestamp)

    def result(self) -> RunState:
        tasks = [
            self._tasks[path][index] for path in self._steps for index in sorted(self._tasks[path])
        ]
        attempts = [
            replace(row, iteration=self._layout.iteration_of(task.step_path))
            for task in tasks
            for row in self._attempts.of((task.step_path, task.task_index))
        ]
        return RunState(
            self._run,
            tuple(self._subruns.values()),
            tuple(self._steps.values()),
            tuple(tasks),
            tuple(attempts),
        )

    def _apply_to_run(self, event: LogEvent, happened: RunEventType) -> None:
        match happened:
            case "run.started":
                self._run = replace(self._run, status="started", started_at=event.timestamp)
            case "run.waiting" | "run.interrupted":
                self._run = replace(self._run, status="waiting")
            case "run.resumed":
                self._run = replace(self._run, status="started")
            case "run.completed":
                self._end_run(event, "completed")
            case "run.failed":
                self._end_run(event, "failed")
            case "run.cancelled":
                self._end_run(event, "cancelled")
            case _:
                assert_never(happened)

    def _end_run(self, event: LogEvent, status: RunEnd) -> None:
        at = event.timestamp
        completed = status == "completed"
        self._run = replace(
            self._run,
            status=status,
            output=self._output_of_scope(RUN) if completed else None,
            error_message=event.event_data.get("error"),
            completed_at=at if completed else None,
            failed_at=None if completed else at,
        )
        for path in self._tasks:
            self._cancel_tasks(path, at)

    def _apply_to_subrun(self, event: LogEvent, happened: SubrunEventType) -> None:
        match happened:
            case "subrun.started":
                self._start_subrun(event)
            case "subrun.completed":
                self._end_subrun(event, "completed")
            case "subrun.failed":
                self._end_subrun(event, "failed")
            case "subrun.skipped":
                self._end_subrun(event, "skipped")
            case "subrun.cancelled":
                self._end_subrun(event, "cancelled")
            case _:
                assert_never(happened)

    def _start_subrun(self, event: LogEvent) -> None:
        scope = self._layout.subruns[str(event.correlation_id)]
        child = event.event_data.get("dagster_run_id")
        self._subruns[scope.path] = replace(
            self._subruns[scope.path],
            status="started",
            started_at=event.timestamp,
            updated_at=event.timestamp,
            input=self._input_of(scope, event.event_data),
            dagster_run_id=UUID(child) if child else None,
        )

    def _end_subrun(self, event: LogEvent, status: StepEnding) -> None:
        scope = self._layout.subruns[str(event.correlation_id)]
        if status == "completed" and scope.map_index is not None:
            self._count_down(scope.step)
        self._subruns[scope.path] = replace(
            self._subruns[scope.path],
            status=status,
            output=self._output_of_scope(scope.path) if status == "completed" else None,
            error_message=event.event_data.get("error"),
            completed_at=event.timestamp,
            updated_at=event.timestamp,
        )

    def _apply_to_step(self, event: LogEvent, happened: StepEventType) -> None:
        path, at, data = str(event.correlation_id), event.timestamp, event.event_data
        why = data.get("why")
        row = replace(self._steps[path], waiting_for=None, waiting_since=None, why=why)
        match happened:
            case "step.queued":
                self._queue(row, data["tasks"], at)
                return
            case "step.started":
                left = row.initial_tasks
                row = replace(row, status="started", started_at=at, remaining_tasks=left)
            case "step.waiting":
                said = data["waits_for"]
                row = replace(row, status="waiting", waiting_for=said, waiting_since=at)
            case "step.completed":
                row = self._completed_step(row, event)
            case "step.failed":
                error = data.get("error")
                row = replace(row, status="failed", failed_at=at, error_message=error)
            case "step.skipped":
                row = replace(
                    row,
                    status="skipped",
                    skipped_at=at,
                    skip_reason=data["skip_reason"],
                    error_message=self._first_error(path),
                )
            case "step.cancelled":
                row = replace(row, status="cancelled", failed_at=at)
                self._cancel_tasks(path, at)
            case _:
                assert_never(happened)
        self._steps[path] = row
        # What depends on a subflow that failed goes on, where its flow says so.
        if row.status in ("completed", "skipped") or "on_failure" in data:
            self._settle_dependents(path)

    def _queue(self, step: StepRow, count: int, at: datetime) -> None:
        """Add the tasks of a map step, or the subruns of a step that has items."""
        path = step.step_path
        done = sum(task.status == "completed" for task in self._tasks[path].values())
        left = max(count - done, 0) if step.started_at else None
        self._steps[path] = replace(step, initial_tasks=count, remaining_tasks=left)
        if self._layout.steps[path].has_items:
            self._create(path, at)
            return
        for index in range(count):
            self._tasks[path].setdefault(index, queued_task(step, index, at))

    def _cancel_tasks(self, path: str, at: datetime) -> None:
        for index, task in self._tasks[path].items():
            if task.status in _UNFINISHED:
                self._tasks[path][index] = replace(task, status="cancelled", failed_at=at)

    def _completed_step(self, row: StepRow, event: LogEvent) -> StepRow:
        path = row.step_path
        tasks = self._tasks[path]
        place = self._layout.steps[path]
        output: Json | None
        if place.has_output_op:
            output = output_in(event.event_data, self._outputs)
        elif place.is_subflow:
            output = self._output_of_scope(path) or Json(None)
        elif place.is_map:
            values = [
                tasks[index].output or self._error_elements.get((path, index))
                for index in sorted(tasks)
            ]
            output = Json([(value or elsewhere()).value for value in values])
        else:
            output = tasks[0].output if 0 in tasks else elsewhere()
        known = row.initial_tasks if row.initial_tasks is not None else len(tasks)
        return replace(
            row,
            status="completed",
            completed_at=event.timestamp,
            initial_tasks=known,
            remaining_tasks=0,
            output=output,
        )

    def _settle_dependents(self, path: str) -> None:
        self._settled.add(path)
        # An iteration that the loop has not come to is not there yet.
        for dependent in filter(self._steps.__contains__, self._dependents[path]):
            row = self._steps[dependent]
            self._steps[dependent] = replace(row, remaining_deps=row.remaining_deps - 1)
        if self._layout.steps[path].scope == RUN:
            left = (self._run.remaining_steps or 1) - 1
            self._run = replace(self._run, remaining_steps=left)

    def _begin_iteration(self, event: LogEvent) -> None:
        """Add what there is in the iteration that follows the one that is over."""
        if event.event_data["again"]:
            loop = StepPath(event.correlation_id or "")
            following = loop.at(event.event_data["iteration"] + 1)
            self._create(following, event.timestamp)

    def _apply_to_task(self, event: LogEvent, happened: TaskEventType) -> None:
        path, index = str(event.correlation_id), event.event_data["task_index"]
        step = self._steps[path]
        row = self._tasks[path].get(index) or queued_task(step, index, event.timestamp)
        match happened:
            case "task.started":
                self._attempts.begin(step, event)
                row = started_task(row, event)
            case "task.retrying":
                self._attempts.end(step, event, "failed")
                row = retried_task(row, event)
            case "task.completed":
                row = self._ended_task(row, event, "completed")
            case "task.failed":
                row = self._ended_task(row, event, "failed")
            case "task.cancelled":
                row = self._ended_task(row, event, "cancelled")
            case _:
                assert_never(happened)
        self._tasks[path][index] = replace(row, attempts_count=self._attempts.count((path, index)))

    def _ended_task(self, row: TaskRow, event: LogEvent, status: TaskEnd) -> TaskRow:
        self._attempts.end(self._steps[row.step_path], event, status)
        data = event.event_data
        completed = status == "completed"
        collected = status == "failed" and self._layout.steps[row.step_path].collects_errors
        if completed or collected:
            self._count_down(row.step_path)
        output = self._output_of_task(row, data) if completed else None
        ended = ended_task(row, event, status, output)
        if collected:
            attempts = data.get("attempt", row.attempts_count)
            element = error_element(ended.error_message or "", attempts)
            self._error_elements[row.step_path, row.task_index] = Json(element)
        return ended

    def _output_of_task(self, row: TaskRow, data: Mapping[str, Any]) -> Json:
        is_whole_list = self._layout.steps[row.step_path].is_whole_list
        return output_of_task(data, self._outputs, row.task_index, is_whole_list=is_whole_list)

    def _count_down(self, path: str) -> None:
        """Count a task of a step as done."""
        step = self._steps[path]
        if step.remaining_tasks is not None:
            left = max(step.remaining_tasks - 1, 0)
            self._steps[path] = replace(step, remaining_tasks=left)

    def _output_of_scope(self, path: str) -> Json | None:
        scope = self._layout.scopes[path]
        return output_of_scope(scope, [self._steps[leaf] for leaf in scope.leaves])

    def _input_of(self, scope: Scope, data: Mapping[str, Any]) -> Json | None:
        """Return the input of a subrun, as far as that can be known."""
        given = self._received(scope, data)
        if given is None or is_elsewhere(given.value):
            return given
        return Json(input_of_run(scope.input_schema, given.value))

    def _received(self, scope: Scope, data: Mapping[str, Any]) -> Json | None:
        """Return what a subflow step gives its flow, as far as that can be known."""
        if "input" in data:
            return Json(data["input"])
        if "output_of" in data:
            return output_in(data, self._outputs)
        place = self._layout.steps[scope.step]
        subrun = self._layout.subrun_around(place.scope)
        is_top = subrun == RUN
        around = Json(self._run.input) if is_top else self._subruns[subrun].input
        rows = [self._steps[dep] for dep in place.deps]
        given = Json({row.step_slug: row.output.value for row in rows if row.output})
        return received(place, given if place.deps else around, around, scope.map_index)

    def _first_error(self, path: str) -> str | None:
        tasks = self._tasks[path]
        errors = (tasks[index].error_message for index in sorted(tasks))
        return next((error for error in errors if error), None)

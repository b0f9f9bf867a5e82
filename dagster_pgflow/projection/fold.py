"""From the event log to the rows of the run tables: pure, and the same every time.

What the fold reads is exactly what `pgflow.event_log` holds, the pinned definitions, and the
outputs that were too large for an event. So the tables can be made again from these at any time.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

from dagster_pgflow.model.defaults import input_of_run
from dagster_pgflow.model.run_state import (
    STORED_AT_KEY,
    AttemptStatus,
    Json,
    LogEvent,
    RunState,
    RunStatus,
    StepRow,
    StepStatus,
    SubrunRow,
    TaskRow,
    TaskStatus,
)
from dagster_pgflow.names import pass_path
from dagster_pgflow.projection.attempts import Attempts
from dagster_pgflow.projection.created import created_step, created_subrun, queued_run, queued_task
from dagster_pgflow.projection.executed import executed, in_order
from dagster_pgflow.projection.layout import RUN_SCOPE, Layout, Scope, Task
from dagster_pgflow.projection.received import received
from dagster_pgflow.projection.sightings import moment
from dagster_pgflow.runtime.values import Batch, error_element, from_wire

Outputs = Mapping[str, Any]
"""The stored outputs of the run by Dagster step key, as they travelled between steps."""

_UNFINISHED = ("queued", "started")
_ATTEMPT_ENDS: Final[Mapping[str, AttemptStatus]] = {
    "completed": "completed",
    "failed": "failed",
    "skipped": "cancelled",
    "cancelled": "cancelled",
}


def fold(layout: Layout, events: Iterable[LogEvent], outputs: Outputs) -> RunState:
    """Return the rows that a run's events add up to.

    Args:
        layout: The layout of the run, with the items that its events tell of.
        events: All its events, in any order and any number of times each.
        outputs: At least those that events name in `output_of`.
    """
    told = in_order(events)
    state = _Fold(layout, told[0], outputs)
    for event in told[1:]:
        state.apply(event)
    result = state.result()
    return replace(result, execution=executed(layout, told, result))


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
            if scope.path != RUN_SCOPE and scope.iteration is None:
                self._subruns[scope.path] = created_subrun(self._layout, scope, at)
        for place in self._layout.steps_within[within]:
            left = sum(dep not in self._settled for dep in place.needs)
            self._steps[place.path] = created_step(self._layout, place, at, remaining_deps=left)

    def apply(self, event: LogEvent) -> None:
        thing, _, happened = event.event_type.partition(".")
        applied = {
            "run": self._apply_to_run,
            "subrun": self._apply_to_subrun,
            "step": self._apply_to_step,
            "task": self._apply_to_task,
            "loop": self._apply_to_loop,
        }
        if thing in applied:
            applied[thing](event, happened)
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

    def _apply_to_run(self, event: LogEvent, happened: str) -> None:
        at = event.timestamp
        if happened == "started":
            self._run = replace(self._run, status="started", started_at=at)
            return
        completed = happened == "completed"
        self._run = replace(
            self._run,
            status=cast("RunStatus", happened),
            output=self._output_of_scope(RUN_SCOPE) if completed else None,
            error_message=event.event_data.get("error"),
            completed_at=at if completed else None,
            failed_at=None if completed else at,
        )
        for path in self._tasks:
            self._cancel_tasks(path, at)

    def _apply_to_subrun(self, event: LogEvent, happened: str) -> None:
        scope, at = self._layout.subruns[str(event.correlation_id)], event.timestamp
        row = replace(self._subruns[scope.path], status=cast("StepStatus", happened), updated_at=at)
        if happened == "started":
            child = event.event_data.get("dagster_run_id")
            self._subruns[scope.path] = replace(
                row,
                started_at=at,
                input=self._input_of(scope, event.event_data),
                dagster_run_id=UUID(child) if child else None,
            )
            return
        if happened == "completed" and scope.map_index is not None:
            self._count_down(scope.step)
        self._subruns[scope.path] = replace(
            row,
            output=self._output_of_scope(scope.path) if happened == "completed" else None,
            error_message=event.event_data.get("error"),
            completed_at=at,
        )

    def _apply_to_step(self, event: LogEvent, happened: str) -> None:
        path, at, data = str(event.correlation_id), event.timestamp, event.event_data
        row = self._steps[path]
        match happened:
            case "queued":
                self._queue(row, data["tasks"], at)
                return
            case "started":
                row = replace(row, started_at=at, remaining_tasks=row.initial_tasks)
            case "completed":
                row = self._completed_step(row, event)
            case "failed":
                row = replace(row, failed_at=at, error_message=data.get("error"))
            case "skipped":
                row = replace(
                    row,
                    skipped_at=at,
                    skip_reason=data["skip_reason"],
                    error_message=self._first_error(path),
                )
            case "cancelled":
                row = replace(row, failed_at=at)
                self._cancel_tasks(path, at)
            case _:
                return
        self._steps[path] = replace(row, status=cast("StepStatus", happened))
        # What depends on a subflow that failed goes on, where its flow says so.
        if happened in ("completed", "skipped") or "on_failure" in data:
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
            output = self._output_told(event.event_data)
        elif place.is_subflow:
            output = self._output_of_scope(path) or Json(None)
        elif place.is_map:
            values = [
                tasks[index].output or self._error_elements.get((path, index))
                for index in sorted(tasks)
            ]
            output = Json([value.value if value else _elsewhere(None) for value in values])
        else:
            output = tasks[0].output if 0 in tasks else Json(_elsewhere(None))
        known = row.initial_tasks if row.initial_tasks is not None else len(tasks)
        return replace(
            row,
            completed_at=event.timestamp,
            initial_tasks=known,
            remaining_tasks=0,
            output=output,
        )

    def _settle_dependents(self, path: str) -> None:
        self._settled.add(path)
        # A pass that the loop has not come to is not there yet.
        for dependent in filter(self._steps.__contains__, self._dependents[path]):
            row = self._steps[dependent]
            self._steps[dependent] = replace(row, remaining_deps=row.remaining_deps - 1)
        if self._layout.steps[path].scope == RUN_SCOPE:
            left = (self._run.remaining_steps or 1) - 1
            self._run = replace(self._run, remaining_steps=left)

    def _apply_to_loop(self, event: LogEvent, happened: str) -> None:
        if happened == "iterated" and event.event_data["again"]:
            following = pass_path(str(event.correlation_id), event.event_data["iteration"] + 1)
            self._create(following, event.timestamp)

    def _apply_to_task(self, event: LogEvent, happened: str) -> None:
        path, at, data = str(event.correlation_id), event.timestamp, event.event_data
        index, step = data["task_index"], self._steps[path]
        row = self._tasks[path].get(index) or queued_task(step, index, at)
        match happened:
            case "started":
                self._attempts.begin(step, event)
                row = replace(row, status="started", started_at=at, last_worker_id=None)
            case "retrying":
                self._attempts.end(step, event, "failed")
                row = replace(
                    row,
                    status="queued",
                    error_message=data.get("error"),
                    started_at=_moment(data.get("started_at")) or row.started_at,
                    last_worker_id=data.get("worker"),
                )
            case _:
                status = cast("TaskStatus", happened)
                self._attempts.end(step, event, _ATTEMPT_ENDS[status])
                row = self._ended_task(row, event, status)
        self._tasks[path][index] = replace(row, attempts_count=self._attempts.count((path, index)))

    def _ended_task(self, row: TaskRow, event: LogEvent, status: TaskStatus) -> TaskRow:
        data = event.event_data
        ended = _moment(data.get("completed_at")) or event.timestamp
        completed = status == "completed"
        collected = status == "failed" and self._layout.steps[row.step_path].collects_errors
        if completed or collected:
            self._count_down(row.step_path)
        error = data.get("error") or (None if completed else row.error_message)
        if collected:
            element = error_element(error or "", data.get("attempt", row.attempts_count))
            self._error_elements[row.step_path, row.task_index] = Json(element)
        return replace(
            row,
            status=status,
            error_message=error,
            output=self._output_of_task(data, (row.step_path, row.task_index))
            if completed
            else None,
            started_at=_moment(data.get("started_at")) or row.started_at,
            completed_at=ended if completed else None,
            failed_at=None if completed else ended,
            last_worker_id=data.get("worker", row.last_worker_id),
        )

    def _count_down(self, path: str) -> None:
        """Count a task of a step as done."""
        step = self._steps[path]
        if step.remaining_tasks is not None:
            left = max(step.remaining_tasks - 1, 0)
            self._steps[path] = replace(step, remaining_tasks=left)

    def _output_of_task(self, data: Mapping[str, Any], task: Task) -> Json:
        told = self._output_told(data)
        if "output" in data:
            return told
        path, index = task
        value = from_wire(told.value)
        if self._layout.steps[path].is_whole_list and isinstance(value, list):
            value = Batch(0, tuple(value))
        if not isinstance(value, Batch):
            return told
        place = index - value.start
        is_there = 0 <= place < len(value.values)
        return Json(value.values[place] if is_there else _elsewhere(None))

    def _output_told(self, data: Mapping[str, Any]) -> Json:
        """Return an output that an event holds, or says where to find."""
        if "output" in data:
            return Json(data["output"])
        return Json(self._outputs.get(data.get("output_of", ""), _elsewhere(None)))

    def _output_of_scope(self, path: str) -> Json | None:
        """Return `{leaf: output}` over the completed final steps; nothing when there is none."""
        output: dict[str, Any] = {}
        for leaf in self._layout.scopes[path].leaves:
            row = self._steps[leaf]
            if row.status == "completed" and row.output is not None:
                output[row.step_slug] = row.output.value
        return Json(output) if output else None

    def _input_of(self, scope: Scope, data: Mapping[str, Any]) -> Json | None:
        """Return the input of a subrun, as far as that can be known."""
        given = self._received(scope, data)
        if given is None or _is_elsewhere(given.value):
            return given
        return Json(input_of_run(scope.input_schema, given.value))

    def _received(self, scope: Scope, data: Mapping[str, Any]) -> Json | None:
        """Return what a subflow step gives its flow, as far as that can be known."""
        if "input" in data:
            return Json(data["input"])
        if "output_of" in data:
            return self._output_told(data)
        place = self._layout.steps[scope.step]
        subrun = self._layout.subrun_around(place.scope)
        is_top = subrun == RUN_SCOPE
        around = Json(self._run.input) if is_top else self._subruns[subrun].input
        rows = [self._steps[dep] for dep in place.deps]
        given = Json({row.step_slug: row.output.value for row in rows if row.output})
        return received(place, given if place.deps else around, around, scope.map_index)

    def _first_error(self, path: str) -> str | None:
        tasks = self._tasks[path]
        errors = (tasks[index].error_message for index in sorted(tasks))
        return next((error for error in errors if error), None)


def _elsewhere(location: str | None) -> dict[str, str | None]:
    return {STORED_AT_KEY: location}


def _is_elsewhere(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {STORED_AT_KEY}


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else moment(seconds)

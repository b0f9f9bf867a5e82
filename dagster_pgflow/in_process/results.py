"""From the rows of a run to what its caller gets."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from dagster_pgflow.in_process.reading import RunRead
from dagster_pgflow.in_process.result import (
    AttemptResult,
    FlowResult,
    ResultStatus,
    StepResult,
    SubrunResult,
    TakenEdge,
    TaskResult,
    WaitResult,
)
from dagster_pgflow.in_process.skips import Skips
from dagster_pgflow.in_process.stand_ins import Conducting
from dagster_pgflow.model.run_state import Json, LogEvent, RunRow, StepRow
from dagster_pgflow.projection.sync.route_in_dagster import edges_of
from dagster_pgflow.step_path import StepPath

RaisedBy = Callable[[str], BaseException | None]
"""Returns what the handler of a step raised last, by the place of the step."""


def result_of(run: RunRead, looked_on: Conducting, waits: Sequence[WaitResult]) -> FlowResult:
    """Return what became of a run.

    Args:
        run: What is known of it.
        looked_on: Knows what handlers raised, and what conditions said.
        waits: What its steps waited for.
    """
    row, tasks, raised_by = run.state.run, _tasks(run), looked_on.raised_by
    skips = Skips(run.layout, run.skips, run.state.steps)
    steps = {
        str(step.step_path): _step(step, run, skips, tasks, raised_by) for step in run.state.steps
    }
    return FlowResult(
        run_id=row.run_id,
        flow_slug=row.flow_slug,
        status=cast("ResultStatus", row.status),
        input=row.input,
        output=_value(row.output),
        error=row.error_message,
        exception=_exception(row, steps.values()) if row.status == "failed" else None,
        steps=steps,
        tasks=tasks,
        subruns=tuple(_subruns(run)),
        route=tuple(
            TakenEdge(str(start), str(end), after, label)
            for start, end, after, label in edges_of(run.events)
        ),
        waits=tuple(waits),
        conditions=tuple(looked_on.conditions.values()),
        warnings=tuple(_warnings(run.events)),
    )


def _exception(run: RunRow, steps: Iterable[StepResult]) -> BaseException | None:
    """Return what the handler raised that failed a run: others may have failed beside it."""
    raising = [step for step in steps if step.exception is not None and step.error]
    named = (step for step in raising if str(step.error) in (run.error_message or ""))
    step = next(named, raising[0] if raising else None)
    return None if step is None else step.exception


def _step(
    row: StepRow,
    run: RunRead,
    skips: Skips,
    tasks: Mapping[str, tuple[TaskResult, ...]],
    raised_by: RaisedBy,
) -> StepResult:
    began_at = skips.began_at(StepPath(row.step_path))
    return StepResult(
        path=str(row.step_path),
        step_type=row.step_type,
        status=row.status,
        reason=row.skip_reason,
        skipped_by=began_at and str(began_at),
        left_out_by=() if began_at is None else skips.left_out_by(began_at),
        output=_value(row.output),
        error=row.error_message,
        exception=raised_by(row.step_path) if row.error_message is not None else None,
        attempts=sum(len(task.attempts) for task in tasks.get(row.step_path, ())),
        delay=_start_delay(run.events, row.step_path),
        waiting_for=row.waiting_for,
        why=row.why,
    )


def _start_delay(events: Sequence[LogEvent], path: str) -> float | None:
    told = (event for event in events if event.event_type == "step.delayed")
    here = (event.event_data for event in told if event.correlation_id == path)
    return next((data["delay_seconds"] for data in here), None)


def _tasks(run: RunRead) -> dict[str, tuple[TaskResult, ...]]:
    attempts: dict[tuple[str, int], list[AttemptResult]] = defaultdict(list)
    delays = _delays(run.events)
    for one in run.state.attempts:
        task = (one.step_path, one.task_index)
        delay = delays.get((*task, one.attempt))
        attempts[task].append(AttemptResult(one.attempt, one.status, one.error, delay))
    found: dict[str, list[TaskResult]] = defaultdict(list)
    for row in run.state.tasks:
        found[str(row.step_path)].append(
            TaskResult(
                str(row.step_path),
                row.task_index,
                row.status,
                _value(row.output),
                row.error_message,
                tuple(attempts[row.step_path, row.task_index]),
            )
        )
    return {path: tuple(tasks) for path, tasks in found.items()}


def _delays(events: Sequence[LogEvent]) -> dict[tuple[str, int, int], float]:
    """Return the seconds before the next attempt, by step, task and attempt that failed."""
    retrying = (event for event in events if event.event_type == "task.retrying")
    return {
        (
            str(event.correlation_id),
            event.event_data["task_index"],
            event.event_data["attempt"],
        ): event.event_data["delay_seconds"]
        for event in retrying
    }


def _subruns(run: RunRead) -> Iterator[SubrunResult]:
    for row in sorted(run.state.subruns, key=lambda row: row.run_index):
        yield SubrunResult(
            path=str(run.layout.subruns[row.subrun_path].path),
            flow_slug=row.subflow_slug,
            subrun_path=row.subrun_path,
            status=row.status,
            input=_value(row.input),
            output=_value(row.output),
            error=row.error_message,
        )


def _warnings(events: Sequence[LogEvent]) -> Iterator[str]:
    for event in events:
        yield from event.event_data.get("warnings", ())


def _value(column: Json | None) -> Any:
    return None if column is None else column.value

"""Runs made by hand: flows, and what Dagster would see of them."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from dagster_pgflow.dagster_log.run_events import RunEvent, RunEventKind, RunFacts
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.run_state import AttemptRow, Json, LogEvent, RunState, SkipReason
from dagster_pgflow.names import continuation_id
from dagster_pgflow.projection.fold.fold import fold
from dagster_pgflow.projection.layout.announcements import layout_seen
from dagster_pgflow.projection.layout.layout import Layout
from dagster_pgflow.projection.translate.translation import translate
from dagster_pgflow.reports.report import (
    StepCancelled,
    StepCompleted,
    StepDelayed,
    StepFailed,
    StepHeld,
    StepRetrying,
    StepSkipped,
    StepWaiting,
)
from dagster_pgflow.reports.task_report import TaskEnding, TaskReport
from dagster_pgflow.runtime.values import Batch
from dagster_pgflow.step_path import StepPath

RUN_ID = UUID("11111111-1111-1111-1111-111111111111")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WORKER = "host:1"
ANYWHERE = StepPath("anywhere")
"""The step of an op, where nobody asks for it."""


@dataclass(frozen=True)
class Version:
    """A flow at its first version."""

    flow: Flow
    version: int = 1
    version_id: int = 1


@dataclass(frozen=True)
class SeenRun:
    """A run of the first of some flows.

    Attributes:
        flows: The flow and those that it contains.
        input: The flow input.
        run_events: What Dagster saw so far, one second apart.
    """

    flows: Sequence[Flow]
    input: Any = None
    run_events: tuple[RunEvent, ...] = ()
    outputs: dict[str, Any] = field(default_factory=dict)

    def then(self, kind: RunEventKind, step_key: str = "", **more: Any) -> "SeenRun":
        """Returns the seen with one more run_event."""
        number = len(self.run_events) + 1
        at = NOON + timedelta(seconds=number)
        added = RunEvent(number, at, kind, step_key, **more)
        return replace(self, run_events=(*self.run_events, added))

    def does(self, step_key: str, output: Any = None, **more: Any) -> "SeenRun":
        """Returns the seen with a single step that runs and completes."""
        report = replace(completed(output, [task()]), **more)
        return self.then("started", step_key).then("succeeded", step_key, report=report)

    def fails(self, step_key: str, *tasks: TaskReport, **more: Any) -> "SeenRun":
        """Returns the seen with a step that starts, and reports that it is tried again."""
        report = retrying(*tasks, **more)
        return self.then("started", step_key).waits(step_key, report)

    def waits(self, step_key: str, report: StepRetrying | StepDelayed) -> "SeenRun":
        """Returns the seen with a report that another execution of the step follows."""
        return self.then("reported", step_key, report=report).then("retrying", step_key)

    def goes_on(self) -> "SeenRun":
        """Returns the seen with the start of a Dagster run that goes on with those before."""
        number = sum(one.goes_on_in is not None for one in self.run_events) + 1
        return self.then("run_started", goes_on_in=continuation_id(RUN_ID, number))

    @property
    def layout(self) -> Layout:
        """Where everything stands."""
        slug = self.flows[0].slug
        return layout_seen(slug, self.tree, self.run_events)

    @property
    def tree(self) -> dict[str, Version]:
        """The flows by slug."""
        return {flow.slug: Version(flow) for flow in self.flows}

    def events(self) -> list[LogEvent]:
        """Returns the event log."""
        facts = RunFacts(
            run_id=RUN_ID,
            dagster_run_id=RUN_ID,
            flow_slug=self.flows[0].slug,
            watermark=1,
            input=self.input,
            created_at=NOON,
        )
        return translate(facts, self.tree, self.layout, self.run_events)

    def state(self) -> RunState:
        """Returns the rows."""
        return fold(self.layout, self.events(), self.outputs)

    def own_events(self) -> list[LogEvent]:
        """Returns the event log without what follows from it for tokens and nodes."""
        return [event for event in self.events() if not is_consequence(event.event_type)]

    def types(self) -> list[str]:
        """Returns what happened, with where."""
        return [shown(event) for event in self.own_events()]


def is_consequence(event_type: str) -> bool:
    """Return whether such events only follow from others."""
    return event_type.startswith(("token.", "node."))


def shown(event: LogEvent) -> str:
    """Returns an event as text, such as `task.started price[2]`."""
    index = event.event_data.get("task_index")
    place = event.correlation_id or ""
    return f"{event.event_type} {place}{'' if index is None else f'[{index}]'}".strip()


def task(index: int = 0, status: TaskEnding = "completed", attempts: int = 1) -> TaskReport:
    """Returns a task's report."""
    error = "no" if status == "failed" else None
    return TaskReport(index, status, attempts, NOON.timestamp(), NOON.timestamp() + 1, error)


def completed(output: Any, tasks: Iterable[TaskReport] = ()) -> StepCompleted:
    """Returns the report of an op that completed."""
    size = len(json.dumps(output))
    return replace(large(tasks), output_bytes=size, output=Json(output))


def large(tasks: Iterable[TaskReport] = ()) -> StepCompleted:
    """Returns the report of an op that completed with an output that is too large for it."""
    return StepCompleted(worker=WORKER, step=ANYWHERE, tasks=tuple(tasks), output_bytes=9999)


def failed(
    *tasks: TaskReport, error: str = "no", at: str = "nowhere", caught_by: str = ""
) -> StepFailed:
    """Returns the report of an op that failed; somewhere else than in any step is in its own."""
    return StepFailed(
        worker=WORKER,
        step=ANYWHERE,
        place=ANYWHERE,
        tasks=tasks,
        error=error,
        failed_step=StepPath(at),
        failed_subflow=StepPath(caught_by) if caught_by else None,
    )


def retrying(*tasks: TaskReport, delay: float = 10.0) -> StepRetrying:
    """Returns the report of an op that is tried again."""
    attempt = max((one.attempts for one in tasks), default=0) + 1
    return StepRetrying(worker=WORKER, tasks=tasks, attempt=attempt, delay_seconds=delay)


def delayed(delay: float = 60.0) -> StepDelayed:
    """Returns the report of an op that came too early."""
    return StepDelayed(worker=WORKER, delay_seconds=delay)


def skipped(
    reason: SkipReason, origin: str, *tasks: TaskReport, ends_route: bool = False
) -> StepSkipped:
    """Returns the report of an op that skipped its step."""
    return StepSkipped(
        worker=WORKER,
        step=ANYWHERE,
        tasks=tasks,
        skip_reason=reason,
        skipped_step=StepPath(origin),
        ends_route=ends_route,
    )


def cancelled(subflow: str) -> StepCancelled:
    """Returns the report of an op whose step had nothing to do any more."""
    return StepCancelled(worker=WORKER, step=ANYWHERE, failed_subflow=StepPath(subflow))


def waiting(step: str, waits_for: str = "an answer", due_at: float | None = None) -> StepWaiting:
    """Returns the report of an op whose step waits."""
    return StepWaiting(
        worker=WORKER, step=StepPath(step), kind="approval", waits_for=waits_for, due_at=due_at
    )


def held(step: str, behind: str) -> StepHeld:
    """Returns the report of an op that had nothing to do, because something waits before it."""
    return StepHeld(worker=WORKER, step=StepPath(step), waiting_step=StepPath(behind))


def batch(start: int, *values: Any) -> StepCompleted:
    """Returns the report of an op that handled a batch of a map step."""
    tasks = [task(index) for index in range(start, start + len(values))]
    return completed(Batch(start, values).to_wire(), tasks)


LAST_ATTEMPT: dict[str, set[str | None]] = {
    "queued": {None, "failed"},
    "started": {"started"},
    "completed": {None, "completed"},
    "failed": {None, "failed"},
    "cancelled": {None, "cancelled", "failed"},
}
"""How the last attempt of a task may stand, by the status of the task; `None`: there is none.

A task that was taken over has none, nor has one that waits or that failed before its first.
"""


def assert_attempts_add_up(state: RunState) -> None:
    """Checks that attempts agree with the tasks that they are of."""
    attempts: dict[tuple[str, int], list[AttemptRow]] = defaultdict(list)
    for row in state.attempts:
        attempts[row.step_path, row.task_index].append(row)
        assert (row.status == "started") == (row.completed_at is None)
        assert (row.completed_at is None) == (row.duration_ms is None)
        assert row.duration_ms is None or row.duration_ms >= 0
        assert row.status == "failed" or row.error is None
    for task in state.tasks:
        rows = attempts.pop((task.step_path, task.task_index), [])
        assert task.attempts_count == len(rows)
        assert [row.attempt for row in rows] == sorted({row.attempt for row in rows})
        assert all(row.status != "started" for row in rows[:-1])
        assert (rows[-1].status if rows else None) in LAST_ATTEMPT[task.status]
    assert attempts == {}

"""The attempts of the tasks of one run, as events begin and end them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from dagster_pgflow.dagster_log.run_events import moment
from dagster_pgflow.model.run_state import AttemptRow, AttemptStatus, LogEvent, StepRow

Task = tuple[str, int]
"""The columns that identify a task in its run: `step_path` and `task_index`."""


class Attempts:
    """What has become of each attempt so far.

    Of one task no more than one attempt is under way, and it is the last.
    """

    def __init__(self) -> None:
        self._rows: dict[Task, dict[int, AttemptRow]] = defaultdict(dict)

    def count(self, task: Task) -> int:
        """Return how many attempts of a task have begun."""
        return len(self._rows[task])

    def of(self, task: Task) -> Iterator[AttemptRow]:
        """Yield the attempts of a task in their order."""
        rows = self._rows[task]
        return (rows[number] for number in sorted(rows))

    def begin(self, step: StepRow, event: LogEvent) -> None:
        """Add an attempt; one whose process was lost may begin anew."""
        task, number = _task_of(step, event), event.event_data["attempt"]
        self._end(task, "cancelled", event.timestamp, {})
        self._rows[task][number] = AttemptRow(
            step_path=step.step_path,
            task_index=task[1],
            attempt=number,
            step_slug=step.step_slug,
            flow_slug=step.flow_slug,
            subrun_path=step.subrun_path,
            status="started",
            started_at=event.timestamp,
            completed_at=None,
            duration_ms=None,
            worker_id=None,
            error=None,
        )

    def end(self, step: StepRow, event: LogEvent, status: AttemptStatus) -> None:
        """End the attempt under way; when there is none, the task ended while it waited."""
        self._end(_task_of(step, event), status, event.timestamp, event.event_data)

    def _end(
        self, task: Task, status: AttemptStatus, at: datetime, data: Mapping[str, Any]
    ) -> None:
        for number, row in self._rows[task].items():
            if row.status == "started":
                self._rows[task][number] = _ended(row, status, at, data)


def _ended(
    row: AttemptRow, status: AttemptStatus, at: datetime, data: Mapping[str, Any]
) -> AttemptRow:
    started_at = moment(data["started_at"]) if "started_at" in data else row.started_at
    ended_at = moment(data["completed_at"]) if "completed_at" in data else at
    # The clocks of two machines may disagree on what came first.
    took = max((ended_at - started_at).total_seconds(), 0.0)
    return replace(
        row,
        status=status,
        started_at=started_at,
        completed_at=ended_at,
        duration_ms=round(took * 1000),
        worker_id=data.get("worker"),
        error=data.get("error") if status == "failed" else None,
    )


def _task_of(step: StepRow, event: LogEvent) -> Task:
    return step.step_path, event.event_data["task_index"]

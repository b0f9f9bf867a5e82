"""The row of a task after an event about it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from dagster_pgflow.dagster_log.run_events import moment
from dagster_pgflow.model.event_types import TaskEnd
from dagster_pgflow.model.run_state import Json, LogEvent, TaskRow


def started_task(row: TaskRow, event: LogEvent) -> TaskRow:
    """Return the row of a task of which an attempt has begun."""
    return replace(row, status="started", started_at=event.timestamp, last_worker_id=None)


def retried_task(row: TaskRow, event: LogEvent) -> TaskRow:
    """Return the row of a task that waits for another attempt."""
    data = event.event_data
    return replace(
        row,
        status="queued",
        error_message=data.get("error"),
        started_at=_moment_in(data, "started_at") or row.started_at,
        last_worker_id=data.get("worker"),
    )


def ended_task(row: TaskRow, event: LogEvent, status: TaskEnd, output: Json | None) -> TaskRow:
    """Return the row of a task that is over."""
    data, completed = event.event_data, status == "completed"
    ended = _moment_in(data, "completed_at") or event.timestamp
    return replace(
        row,
        status=status,
        error_message=data.get("error") or (None if completed else row.error_message),
        output=output,
        started_at=_moment_in(data, "started_at") or row.started_at,
        completed_at=ended if completed else None,
        failed_at=None if completed else ended,
        last_worker_id=data.get("worker", row.last_worker_id),
    )


def _moment_in(data: Mapping[str, Any], name: str) -> datetime | None:
    seconds = data.get(name)
    return None if seconds is None else moment(seconds)

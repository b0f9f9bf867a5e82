"""From the event log to the loops of one run: one row each, however often it went round; pure."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from dagster_pgflow.model.execution import LoopRow, LoopStatus
from dagster_pgflow.model.run_state import LogEvent
from dagster_pgflow.projection.translate.tokens import RUN_ENDS

_STOPS: Final[dict[str, LoopStatus]] = {
    "step.failed": "failed",
    "step.cancelled": "cancelled",
    "step.skipped": "cancelled",
}


def loops_of(events: Iterable[LogEvent]) -> Iterator[LoopRow]:
    """Yield the loops of a run in the order in which they began.

    Args:
        events: All its events, in order.
    """
    loops: dict[str, LoopRow] = {}
    for event in events:
        path = str(event.correlation_id)
        known = loops.get(path)
        if event.event_type.startswith("loop."):
            loops[path] = _after(known, event, path)
        elif known is not None and known.status == "started" and event.event_type in _STOPS:
            status = _STOPS[event.event_type]
            loops[path] = replace(known, status=status, completed_at=event.timestamp)
        elif event.event_type in RUN_ENDS:
            loops = {path: _at_run_end(row, event) for path, row in loops.items()}
    yield from loops.values()


def _after(known: LoopRow | None, event: LogEvent, path: str) -> LoopRow:
    data = event.event_data
    row = known or LoopRow(
        loop_path=path,
        current_iteration=1,
        max_iterations=None,
        status="started",
        ended_by=None,
        started_at=event.timestamp,
        completed_at=None,
    )
    # An iteration that another one follows is over, so that the next one is the current.
    current = int(data.get("iteration", 1)) + bool(data.get("again"))
    row = replace(
        row,
        current_iteration=max(row.current_iteration, current),
        max_iterations=data.get("max_iterations", row.max_iterations),
    )
    if event.event_type != "loop.completed":
        return row
    return replace(
        row,
        status="completed",
        ended_by=data.get("ended_by"),
        completed_at=event.timestamp,
    )


def _at_run_end(row: LoopRow, event: LogEvent) -> LoopRow:
    if row.status != "started":
        return row
    return replace(row, status="cancelled", completed_at=event.timestamp)

"""From the event log to the tables of execution: tokens, loops and statistics of one run; pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from dagster_pgflow.model.execution import (
    AppliedKeyRow,
    ExecutionRows,
    PendingTokenRow,
    SnapshotRow,
    StatisticsRow,
)
from dagster_pgflow.model.run_state import LogEvent, RunState
from dagster_pgflow.projection.fold.loops import loops_of
from dagster_pgflow.projection.fold.workers import workers_of
from dagster_pgflow.projection.layout.layout import Layout
from dagster_pgflow.step_path import RUN

EVENTS_PER_SNAPSHOT: Final = 100


def in_order(events: Iterable[LogEvent]) -> list[LogEvent]:
    """Return events in their order, each of them once, however they arrived."""
    return list({event.sequence_num: event for event in sorted(events, key=_number)}.values())


def executed(layout: Layout, events: Sequence[LogEvent], state: RunState) -> ExecutionRows:
    """Return the rows of execution that a run's events add up to.

    Args:
        layout: The layout of the run.
        events: All its events, in order.
        state: The other rows that they add up to.
    """
    applied = tuple(_applied(events))
    return ExecutionRows(
        applied=applied,
        snapshots=tuple(_snapshots(events, applied)),
        pending=tuple(_pending(layout, events)),
        loops=tuple(loops_of(events)),
        workers=tuple(workers_of(events)),
        statistics=_statistics(layout, events, state),
    )


def delta_of(event: LogEvent) -> int:
    """Return by how much an event changes the token counter."""
    match event.event_type:
        case "token.emitted":
            return 1
        case "token.consumed":
            return -int(event.event_data["tokens"])
        case _:
            return 0


def op_key_of(event: LogEvent) -> str:
    """Return what names a change of the counter: what happened, where, in which attempt.

    Iterations of a loop and items of a list are part of the paths.
    """
    data = event.event_data
    node, attempt = data["to_node"] or "", data.get("attempt", 0)
    if event.event_type == "token.emitted":
        return f"emit:{data['from_node'] or ''}>{node}#{attempt}"
    return f"consume:{node}#{attempt}"


def _number(event: LogEvent) -> int:
    return event.sequence_num


def _applied(events: Sequence[LogEvent]) -> Iterator[AppliedKeyRow]:
    seen: set[str] = set()
    for event in events:
        delta = delta_of(event)
        if not delta:
            continue
        key = op_key_of(event)
        if key not in seen:
            seen.add(key)
            yield AppliedKeyRow(
                op_key=key,
                delta=delta,
                applied_at=event.timestamp,
                sequence_num=event.sequence_num,
            )


def _snapshots(
    events: Sequence[LogEvent], applied: Sequence[AppliedKeyRow]
) -> Iterator[SnapshotRow]:
    """Yield the counter as of every so many events, and as of the last one."""
    deltas = {row.sequence_num: row.delta for row in applied}
    counter = 0
    for event in events:
        number = event.sequence_num
        counter += deltas.get(number, 0)
        if number % EVENTS_PER_SNAPSHOT == 0 or event is events[-1]:
            yield SnapshotRow(sequence_num=number, counter=counter, taken_at=event.timestamp)


def _pending(layout: Layout, events: Sequence[LogEvent]) -> Iterator[PendingTokenRow]:
    """Yield the tokens at steps that wait for more than one other and have not begun."""
    waiting: dict[str, dict[str, datetime]] = {}
    for event in events:
        data = event.event_data
        match event.event_type:
            case "token.emitted":
                node = data["to_node"]
                deps = layout.steps[node].deps if node in layout.steps else ()
                if len(deps) > 1 and data["from_node"] in deps:
                    waiting.setdefault(node, {})[data["from_node"]] = event.timestamp
            case "step.started":
                waiting.pop(str(event.correlation_id), None)
            case "token.consumed":
                waiting.pop(data["to_node"], None)
    for node, arrived in waiting.items():
        for from_node, at in arrived.items():
            yield PendingTokenRow(node=node, from_node=from_node, arrived_at=at)


def _statistics(layout: Layout, events: Sequence[LogEvent], state: RunState) -> StatisticsRow:
    deltas = [delta_of(event) for event in events]
    happened = [event.event_type for event in events]
    left = [e for e in events if e.event_type == "token.consumed" and e.correlation_id is not None]
    asked = [event for event in left if "last" in event.event_data]
    return StatisticsRow(
        tokens_emitted=sum(delta for delta in deltas if delta > 0),
        tokens_consumed=-sum(delta for delta in deltas if delta < 0),
        nodes_executed=happened.count("node.executed"),
        nodes_failed=happened.count("node.failed"),
        nodes_skipped=happened.count("step.skipped"),
        retries=len(state.attempts) - len({(a.step_path, a.task_index) for a in state.attempts}),
        total_time_ms=_total_time_ms(state),
        terminal_nodes=len(layout.scopes[RUN].leaves),
        completion_checks=len(asked),
        completion_checks_saved=len(left) - len(asked),
        steps_done_at=next((e.timestamp for e in asked if e.event_data["last"]), None),
    )


def _total_time_ms(state: RunState) -> int | None:
    """Return how long the run took, or has taken up to its last event."""
    run = state.run
    if run.started_at is None:
        return None
    took = (run.completed_at or run.failed_at or run.updated_at) - run.started_at
    return max(round(took.total_seconds() * 1000), 0)

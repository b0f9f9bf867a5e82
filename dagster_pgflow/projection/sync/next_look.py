"""When a run is looked at again: soon, once more after its end, or hardly ever while it waits."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from dagster_pgflow.dagster_log.continuations import position_in
from dagster_pgflow.dagster_log.dagster_runs import RunAsSeen, RunInDagster
from dagster_pgflow.model.run_cursor import NextLook, RunCursor
from dagster_pgflow.model.run_state import LogEvent, RunStatus

SETTLE_S: Final = 30.0
"""A run is read once more so long after its end, for what its last processes wrote late."""

REST: Final = 3.0
"""A run under way is left alone for so many times as long as the last look at it took."""

WAITING_S: Final = 3600.0
"""After so long Dagster is asked whether it still has a run that waits; what goes on with one is
found at once."""


def next_look(
    cursor: RunCursor, run: RunInDagster, seen: RunAsSeen, status: RunStatus, took: float
) -> NextLook:
    """Return what a look at a run leaves for the next one.

    Args:
        cursor: What was known before.
        run: The run. One that waits as far as its log says is under way all the same while the
            Dagster run that goes on with it has not begun.
        seen: What was read of the run.
        status: The status of the run as of that.
        took: How many seconds the look took.
    """
    reached = position_in(seen.position)
    is_to_go_on = status == "waiting" and run.ending is None
    if status in ("queued", "started") or is_to_go_on:
        return NextLook(seen.position, is_over=False, is_final=False, pause=REST * took)
    before = None if cursor.position is None else position_in(cursor.position).newest
    is_settled = cursor.end_seen and (cursor.position is None or before == reached.newest)
    if not is_settled:
        return NextLook(seen.position, is_over=True, is_final=False, pause=SETTLE_S)
    if status == "waiting":
        rests = reached.resting().to_text()
        return NextLook(rests, is_over=True, is_final=False, pause=WAITING_S, rests=True)
    return NextLook(seen.position, is_over=True, is_final=True, pause=SETTLE_S)


def next_recovery(run: RunInDagster, events: Sequence[LogEvent]) -> int | None:
    """Return the how manieth Dagster run is to go on with one that has lost its process.

    Args:
        run: The run.
        events: Its event log.

    Returns:
        Its number, counted behind the first one; `None` where there is nothing to recover.
    """
    of_run = (event.event_type for event in reversed(events) if event.correlation_id is None)
    is_interrupted = next(of_run, None) == "run.interrupted"
    return len(run.continuations) + 1 if is_interrupted else None


def went_on_further(run: RunInDagster, events: Sequence[LogEvent]) -> bool:
    """Return whether our own log knows of more Dagster runs of a run than there are."""
    resumed = sum(event.event_type == "run.resumed" for event in events)
    return resumed > len(run.continuations)


def lacks_newest(run: RunInDagster, position: str | None) -> bool:
    """Return whether Dagster does not have the newest Dagster run any more that was read."""
    newest = None if position is None else position_in(position).newest
    return newest is not None and UUID(newest) not in run.dagster_run_ids

"""What events of loops add up to."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from dagster_pgflow.model.event_types import EventType
from dagster_pgflow.model.execution import LoopRow
from dagster_pgflow.model.run_state import LogEvent
from dagster_pgflow.projection.fold.loops import loops_of
from tests.unit.projection.seen_runs import NOON, RUN_ID


def event(number: int, kind: EventType, path: str | None = "refine", **data: Any) -> LogEvent:
    at = NOON + timedelta(seconds=number)
    return LogEvent(UUID(int=number), RUN_ID, number, kind, at, data, uuid4(), path)


def loop(**expected: Any) -> LoopRow:
    row: dict[str, Any] = {
        "loop_path": "refine",
        "current_iteration": 1,
        "max_iterations": 3,
        "status": "started",
        "ended_by": None,
        "started_at": NOON + timedelta(seconds=1),
        "completed_at": None,
    }
    return LoopRow(**row | expected)


STARTED = event(1, "loop.started", max_iterations=3)
AGAIN = event(2, "loop.iterated", iteration=1, again=True)
OVER = event(3, "loop.iterated", iteration=2, again=False)


def test_a_loop_that_begins_is_in_its_first_iteration() -> None:
    assert list(loops_of([STARTED])) == [loop()]


def test_a_loop_that_goes_round_is_in_the_next_iteration() -> None:
    assert list(loops_of([STARTED, AGAIN])) == [loop(current_iteration=2)]
    assert list(loops_of([STARTED, AGAIN, OVER])) == [loop(current_iteration=2)]


@pytest.mark.parametrize("ended_by", ["break", "timeout", "error"])
def test_a_loop_says_how_it_ended(ended_by: Any) -> None:
    end = event(4, "loop.completed", iteration=2, ended_by=ended_by)
    after = event(5, "step.completed")
    [row] = loops_of([STARTED, AGAIN, OVER, end, after, event(6, "run.completed", None)])
    at = NOON + timedelta(seconds=4)
    assert row == loop(current_iteration=2, status="completed", ended_by=ended_by, completed_at=at)


@pytest.mark.parametrize(
    ("ended", "status"), [("step.failed", "failed"), ("step.cancelled", "cancelled")]
)
def test_a_loop_ends_with_its_step(ended: EventType, status: Any) -> None:
    [row] = loops_of([STARTED, AGAIN, event(3, ended)])
    at = NOON + timedelta(seconds=3)
    assert row == loop(current_iteration=2, status=status, completed_at=at)


def test_a_loop_ends_with_its_run() -> None:
    [row] = loops_of([STARTED, event(2, "run.failed", None)])
    assert row == loop(status="cancelled", completed_at=NOON + timedelta(seconds=2))


def test_each_loop_has_a_row_also_one_in_an_iteration_of_another() -> None:
    inner = [event(n, "loop.started", f"refine[{n}].inner", max_iterations=2) for n in (2, 3)]
    rows = list(loops_of([STARTED, *inner]))
    assert [row.loop_path for row in rows] == ["refine", "refine[2].inner", "refine[3].inner"]

"""Runs inside runs, in processes of their own: they end together, and are retried together."""

import signal
from pathlib import Path
from uuid import UUID

import dagster as dg
import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import TAG_PARENT_RUN, TAG_PARENT_STEP, TAG_TOP_RUN
from tests.execution import elsewhere
from tests.execution.projecting import World, assert_states_add_up
from tests.execution.projecting_elsewhere import (
    run_elsewhere,
    start_elsewhere,
    world,
)
from tests.polling import poll

__all__ = ["world"]

EXECUTORS = ["in_process", "multiprocess"]


@pytest.fixture(params=EXECUTORS)
def executor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(elsewhere.EXECUTOR, request.param)
    return str(request.param)


def top_run(world: World) -> dg.DagsterRun:
    [run] = [run for run in world.instance.get_runs() if TAG_PARENT_RUN not in run.tags]
    return run


def statuses(world: World) -> dict[str, str]:
    """Returns how the runs inside others stand, by their paths."""
    return {
        run.tags[TAG_PARENT_STEP]: run.status.value
        for run in world.instance.get_runs()
        if TAG_PARENT_STEP in run.tags
    }


def waits_for_another_attempt(world: World) -> bool:
    world.project()
    return "task.retrying" in world.event_types()


def calls(folder: Path) -> list[str]:
    return sorted((folder / "calls").read_text(encoding="utf-8").splitlines())


def nested(handler: str) -> list[Flow]:
    """Returns three flows, each but the last with the next one as a run of its own."""
    return [
        Flow("leaf", max_attempts=2, base_delay=300).step("x", handler=handler),
        Flow("inner").subflow("t", "leaf", mode="run").step("y", handler="quick", depends_on="t"),
        Flow("f").step("a", handler="quick").subflow("s", "inner", depends_on="a", mode="run"),
    ]


@pytest.mark.parametrize("handler", ["endless", "failing"])
def test_a_cancelled_run_takes_the_runs_inside_with_it_at_work_and_between_two_attempts(
    world: World, tmp_path: Path, executor: str, handler: str
) -> None:
    world.define(*nested(handler))
    process = start_elsewhere("f")
    poll((tmp_path / "begun").exists)
    if handler == "failing":
        poll(lambda: waits_for_another_attempt(world))
    world.instance.report_run_canceling(top_run(world))
    process.send_signal(signal.SIGINT)
    process.wait(300)
    assert statuses(world) == {"s": "CANCELED", "s.t": "CANCELED"}
    assert top_run(world).status is dg.DagsterRunStatus.CANCELED
    world.settle()
    assert world.one("runs")["status"] == "cancelled"
    subruns = world.sql.column("select status from pgflow.subruns where dagster_run_id is not null")
    assert subruns == ["cancelled", "cancelled"]
    assert world.by_path("status") == {
        "a": "completed",
        "s": "cancelled",
        "s.t": "cancelled",
        "s.t.x": "cancelled",
        "s.y": "cancelled",
    }
    assert_states_add_up(world)


def test_when_the_process_is_killed_the_runs_inside_are_ended_with_the_run(
    world: World, tmp_path: Path
) -> None:
    world.define(*nested("endless"))
    process = start_elsewhere("f")
    poll((tmp_path / "begun").exists)
    process.kill()
    process.wait(300)
    world.project()
    assert world.by_path("status")["s.t.x"] == "started"
    assert statuses(world) == {"s": "STARTED", "s.t": "STARTED"}
    world.instance.report_run_failed(top_run(world), "The worker is gone.")
    world.settle()
    assert statuses(world) == {"s": "CANCELED", "s.t": "CANCELED"}
    assert world.one("runs")["status"] == "failed"
    assert set(world.by_path("status").values()) == {"completed", "cancelled"}
    assert_states_add_up(world)


def test_somebody_may_cancel_one_run_inside_which_then_fails_its_step(
    world: World, tmp_path: Path
) -> None:
    world.define(
        Flow("child", max_attempts=9, base_delay=1).step("x", handler="failing"),
        Flow("f").subflow("s", "child", mode="run"),
    )
    process = start_elsewhere("f")
    poll((tmp_path / "begun").exists)
    [child] = [run for run in world.instance.get_runs() if TAG_PARENT_RUN in run.tags]
    world.instance.report_run_canceling(child)
    process.wait(300)
    assert statuses(world) == {"s": "CANCELED"}
    assert top_run(world).status is dg.DagsterRunStatus.FAILURE
    world.settle()
    row = world.one("runs")
    assert (row["status"], world.by_path("status")) == (
        "failed",
        {"s": "failed", "s.x": "cancelled"},
    )
    assert row["error_message"].endswith(
        f'Run {child.run_id} of step "s" did not end well: it was cancelled.'
    )


ITEMS = [
    Flow("tens", max_attempts=1)
    .step("x", handler="noted")
    .step("y", handler="quick", depends_on="x")
]


def test_a_retry_runs_only_the_items_that_are_missing(
    world: World, tmp_path: Path, executor: str
) -> None:
    world.define(
        *ITEMS,
        Flow("f")
        .step("list", handler="listed")
        .subflow("each", "tens", depends_on="list", over="list", mode="run")
        .step("end", handler="quick", depends_on="each"),
    )
    run_elsewhere("f")
    world.settle()
    assert calls(tmp_path) == ["each[0].x 1", "each[1].x 1", "each[2].x 1"]
    assert world.one("runs")["status"] == "failed"
    (tmp_path / "repaired").touch()
    start_elsewhere("f", top_run(world).run_id).wait(300)
    world.settle()
    assert calls(tmp_path) == ["each[0].x 1", "each[1].x 1", "each[1].x 1", "each[2].x 1"]
    row = world.one("runs", "retry_of is not null")
    assert (row["status"], row["output"]) == (
        "completed",
        {"end": {"each": [{"y": {"x": 10}}, {"y": {"x": 20}}, {"y": {"x": 30}}]}},
    )
    assert_items_are_runs(world, row, [0, 2])


def test_a_retry_runs_only_the_missing_items_of_a_list_in_a_list(
    world: World, tmp_path: Path
) -> None:
    world.define(
        *ITEMS,
        Flow("row").subflow("each", "tens", over="$input", mode="run"),
        Flow("f")
        .step("list", handler="rows")
        .subflow("rows", "row", depends_on="list", over="list"),
    )
    run_elsewhere("f")
    world.settle()
    done = [
        "rows[0].each[0].x 1",
        "rows[0].each[1].x 1",
        "rows[0].each[2].x 1",
        "rows[1].each[0].x 1",
    ]
    assert calls(tmp_path) == done
    assert world.one("runs")["status"] == "failed"
    (tmp_path / "repaired").touch()
    start_elsewhere("f", top_run(world).run_id).wait(300)
    world.settle()
    assert calls(tmp_path) == sorted([*done, "rows[0].each[1].x 1"])
    row = world.one("runs", "retry_of is not null")
    assert row["status"] == "completed"
    assert row["output"] == {
        "rows": [
            {"each": [{"y": {"x": 10}}, {"y": {"x": 20}}, {"y": {"x": 30}}]},
            {"each": [{"y": {"x": 40}}]},
        ]
    }
    assert_states_add_up(world)


def assert_items_are_runs(world: World, row: dict[str, object], taken_over: list[int]) -> None:
    """Checks which Dagster run each item of a retry is: one of the first try, or its own."""
    found = world.sql(
        "select map_index, dagster_run_id from pgflow.subruns where parent_run_id = %s"
        " order by map_index",
        row["id"],
    )
    for index, child in found:
        run = world.instance.get_run_by_id(str(child))
        assert run is not None
        assert run.status is dg.DagsterRunStatus.SUCCESS
        own = run.tags[TAG_TOP_RUN] == str(row["dagster_run_id"])
        assert own == (index not in taken_over)
        assert UUID(run.run_id) == UUID(str(child))
    assert_states_add_up(world)

"""Subflows in processes of their own: several at once, cancelled, and executed again."""

import signal
from pathlib import Path

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.projection.sync.projector import rebuild
from tests.execution import elsewhere
from tests.execution.projecting import World, assert_states_add_up
from tests.execution.projecting_elsewhere import (
    re_execute,
    run_elsewhere,
    start_elsewhere,
    steps_of,
    world,
)
from tests.polling import poll

__all__ = ["world"]

CHILD = (
    Flow("child", max_attempts=1)
    .step("x", handler="noted")
    .step("y", handler="quick", depends_on="x")
)
LIST = (
    Flow("f", max_attempts=1)
    .step("a", handler="listed")
    .subflow("each", "child", depends_on="a", over="a", output="$nodes.y.x")
    .step("b", handler="quick", depends_on="each")
)


def subruns_of(world: World, run_id: str) -> list[tuple[object, ...]]:
    return world.sql(
        "select subrun_path, map_index, status, input from pgflow.all_runs"
        " where run_id = %s and run_type = 'subrun' order by run_index",
        run_id,
    )


def test_items_run_at_once_each_step_in_a_process_of_its_own(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(elsewhere.EXECUTOR, "multiprocess")
    (tmp_path / "repaired").touch()
    world.define(CHILD, LIST)
    run_elsewhere("f")
    world.settle()
    assert world.one("runs")["output"] == {"b": {"each": [10, 20, 30]}}
    assert world.subruns("map_index, status, input") == [
        (0, "completed", 1),
        (1, "completed", 2),
        (2, "completed", 3),
    ]
    assert_states_add_up(world)


def test_a_failed_item_among_items_that_run_at_once_is_routed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(elsewhere.EXECUTOR, "multiprocess")
    world.define(
        CHILD,
        Flow("f")
        .step("a", handler="listed")
        .subflow("again", "child", depends_on="a", over="a", on_failure="mend")
        .step("mend", handler="quick", depends_on="again"),
    )
    run_elsewhere("f")
    world.settle()
    assert world.one("runs")["status"] == "completed"
    assert world.subruns("map_index, status") == [
        (0, "completed"),
        (1, "failed"),
        (2, "completed"),
    ]
    told = world.by_path("status")
    assert (told["again"], told["again[1].x"], told["again[1].y"]) == (
        "failed",
        "failed",
        "cancelled",
    )
    assert_states_add_up(world)


def test_a_re_execution_takes_over_the_items_that_were_done(world: World, tmp_path: Path) -> None:
    world.define(CHILD, LIST)
    run_elsewhere("f")
    world.settle()
    first = world.one("runs")
    assert first["status"] == "failed"
    second = re_execute(world, tmp_path, first["dagster_run_id"])
    world.settle()
    assert world.one("runs", f"dagster_run_id = '{second}'")["output"] == {
        "b": {"each": [10, 20, 30]}
    }
    assert subruns_of(world, second) == [
        ("1", 0, "completed", 1),
        ("2", 1, "completed", 2),
        ("3", 2, "completed", 3),
    ]
    assert {status for _, status, _ in steps_of(world, second)} == {"completed"}
    assert {path: output for path, _, output in steps_of(world, second)}["each"] == [
        10,
        20,
        30,
    ]
    assert_states_add_up(world)


def test_a_re_execution_takes_over_a_subflow_that_failed_and_was_routed(
    world: World, tmp_path: Path
) -> None:
    world.define(
        Flow("child", max_attempts=1)
        .step("x", handler="repairable")
        .step("y", handler="quick", depends_on="x"),
        Flow("f", max_attempts=1)
        .subflow("s", "child", on_failure="mend")
        .step("mend", handler="quick", depends_on="s")
        .step("b", handler="repairable", depends_on="mend"),
    )
    run_elsewhere("f")
    world.settle()
    first = world.one("runs")
    assert (first["status"], first["remaining_steps"]) == ("failed", 1)
    second = re_execute(world, tmp_path, first["dagster_run_id"])
    world.settle()
    assert world.one("runs", f"dagster_run_id = '{second}'")["status"] == "completed"
    assert [(path, status) for path, status, _ in steps_of(world, second)] == [
        ("b", "completed"),
        ("mend", "completed"),
        ("s", "failed"),
        ("s.x", "failed"),
        ("s.y", "cancelled"),
    ]
    assert_states_add_up(world)


def test_a_cancelled_run_cancels_its_subruns(world: World, tmp_path: Path) -> None:
    world.define(
        Flow("child").step("x", handler="endless").step("y", handler="quick", depends_on="x"),
        Flow("f")
        .step("a", handler="listed")
        .subflow("each", "child", depends_on="a", over="a", on_failure="mend")
        .step("mend", handler="quick", depends_on="each"),
    )
    process = start_elsewhere("f")
    poll((tmp_path / "begun").exists)
    world.project()
    assert world.subruns("status")[0] == ("started",)
    [run] = world.instance.get_runs()
    world.instance.report_run_canceling(run)
    process.send_signal(signal.SIGINT)
    process.wait(300)
    world.settle()
    assert world.one("runs")["status"] == "cancelled"
    assert set(world.subruns("status")) == {("cancelled",)}
    told = world.by_path("status")
    assert told.pop("a") == "completed"
    assert set(told.values()) == {"cancelled"}
    assert_states_add_up(world)


def test_a_run_that_is_gone_from_dagster_is_folded_from_its_own_log(
    world: World, tmp_path: Path
) -> None:
    world.define(CHILD, LIST)
    run_elsewhere("f")
    world.settle()
    before = world.snapshot()
    world.instance.delete_run(world.one("runs")["dagster_run_id"])
    world.sql("update pgflow.subruns set status = 'created', map_index = null")
    rebuild(world.instance, world.store)
    assert world.snapshot() == before

"""Runs that a Dagster with PostgreSQL storage keeps, in processes of their own."""

import signal
from pathlib import Path
from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps.loop import MOST_ITERATIONS_IN_A_JOB
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


def test_a_cancelled_run_leaves_nothing_under_way(world: World, tmp_path: Path) -> None:
    world.define(
        Flow("inner").step("x", handler="endless").step("y", handler="quick", depends_on="x"),
        Flow("f").step("a", handler="quick").subflow("s", "inner", depends_on="a"),
    )
    process = start_elsewhere("f")
    poll((tmp_path / "begun").exists)
    world.project()
    assert world.by_path("status")["s.x"] == "started"
    [run] = world.instance.get_runs()
    world.instance.report_run_canceling(run)
    process.send_signal(signal.SIGINT)
    process.wait(300)
    world.settle()
    row = world.one("runs")
    assert (row["status"], row["completed_at"]) == ("cancelled", None)
    assert world.by_path("status") == {
        "a": "completed",
        "s": "cancelled",
        "s.x": "cancelled",
        "s.y": "cancelled",
    }
    assert world.tasks("s.x", "status") == ["cancelled"]
    assert world.one("subruns")["status"] == "cancelled"
    assert_states_add_up(world)


def test_a_killed_worker_is_told_as_soon_as_dagster_knows(world: World, tmp_path: Path) -> None:
    world.define(Flow("f").step("x", handler="endless"))
    process = start_elsewhere("f")
    poll((tmp_path / "begun").exists)
    process.kill()
    process.wait(300)
    world.project()
    assert world.one("runs")["status"] == "started"
    [run] = world.instance.get_runs()
    # What Dagster's run monitoring does.
    world.instance.report_run_failed(run, "The worker is gone.")
    world.settle()
    row = world.one("runs")
    assert row["status"] == "failed"
    assert "The worker is gone." in row["error_message"]
    assert world.by_path("status") == {"x": "cancelled"}
    assert_states_add_up(world)


def test_each_step_in_a_process_of_its_own(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(elsewhere.EXECUTOR, "multiprocess")
    world.define(Flow("f").step("a", handler="listed").map("m", handler="quick", depends_on="a"))
    run_elsewhere("f")
    world.settle()
    assert world.one("runs")["output"] == {"m": [1, 2, 3]}
    assert set(world.tasks("m", "status")) == {"completed"}
    assert len(set(world.tasks("m", "last_worker_id"))) == 3
    assert_states_add_up(world)


def test_a_re_execution_takes_over_what_was_done(world: World, tmp_path: Path) -> None:
    world.define(
        Flow("f")
        .step("a", handler="listed")
        .step("b", handler="repairable", depends_on="a", max_attempts=1)
        .step("c", handler="quick", depends_on="b")
    )
    run_elsewhere("f")
    world.settle()
    first = world.one("runs")
    assert first["status"] == "failed"
    second = re_execute(world, tmp_path, first["dagster_run_id"])
    world.settle()
    run = world.one("runs", f"dagster_run_id = '{second}'")
    assert (run["run_id"], run["retry_of"]) == (second, first["run_id"])
    assert (run["status"], run["output"]) == ("completed", {"c": {"b": "repaired"}})
    assert steps_of(world, second) == [
        ("a", "completed", [1, 2, 3]),
        ("b", "completed", "repaired"),
        ("c", "completed", {"b": "repaired"}),
    ]
    assert reused(world) == ["task.completed a", "step.completed a"]
    assert_states_add_up(world)


def test_a_re_execution_takes_over_maps_and_subruns(world: World, tmp_path: Path) -> None:
    world.define(
        Flow("inner").step("x", handler="quick"),
        Flow("f")
        .step("a", handler="listed")
        .subflow("s", "inner", depends_on="a")
        .map("m", handler="quick", depends_on="a")
        .step("b", handler="repairable", depends_on=["m", "s"], max_attempts=1),
    )
    run_elsewhere("f")
    world.settle()
    second = re_execute(world, tmp_path, world.one("runs")["dagster_run_id"])
    world.settle()
    assert world.one("runs", f"dagster_run_id = '{second}'")["status"] == "completed"
    assert steps_of(world, second) == [
        ("a", "completed", [1, 2, 3]),
        ("b", "completed", "repaired"),
        ("m", "completed", [1, 2, 3]),
        ("s", "completed", {"x": {"a": [1, 2, 3]}}),
        ("s.x", "completed", {"a": [1, 2, 3]}),
    ]
    assert_states_add_up(world)


@pytest.mark.parametrize("max_iterations", [4, MOST_ITERATIONS_IN_A_JOB + 1])
def test_a_re_execution_goes_on_in_the_pass_of_a_loop_that_failed(
    world: World, tmp_path: Path, max_iterations: int
) -> None:
    world.define(
        Flow("f", max_attempts=1)
        .step("a", handler="quick")
        .step("b", handler="counting", depends_on="a")
        .loop(
            "l",
            back_to="b",
            condition="output < 3",
            max_iterations=max_iterations,
            depends_on="b",
        )
        .step("c", handler="quick", depends_on="l")
    )
    run_elsewhere("f")
    world.settle()
    second = re_execute(world, tmp_path, world.one("runs")["dagster_run_id"])
    world.settle()
    assert (tmp_path / "calls").read_text().split() == ["l[1].b", "l[2].b", "l[2].b", "l[3].b"]
    assert world.one("runs", f"dagster_run_id = '{second}'")["status"] == "completed"
    assert steps_of(world, second) == [
        ("a", "completed", {}),
        ("c", "completed", {"l": 3}),
        ("l", "completed", 3),
        *(
            (f"l[{number}].{slug}", "completed", number)
            for number in (1, 2, 3)
            for slug in ("b", "l")
        ),
    ]
    assert_states_add_up(world)


def test_a_re_execution_runs_only_what_is_missing_of_a_map(world: World, tmp_path: Path) -> None:
    batches = {"alone": 1, "batched": 2}
    flow = Flow("f", max_attempts=1).step("a", handler="listed")
    for slug, size in batches.items():
        flow = flow.map(slug, handler="noted", depends_on="a", batch_size=size)
    world.define(flow)
    run_elsewhere("f")
    world.settle()
    calls = (tmp_path / "calls").read_text("utf-8").splitlines()
    assert sorted(calls) == [f"{slug}[{index}] 1" for slug in batches for index in range(3)]
    (tmp_path / "calls").unlink()
    second = re_execute(world, tmp_path, world.one("runs")["dagster_run_id"])
    world.settle()
    calls = (tmp_path / "calls").read_text("utf-8").splitlines()
    assert sorted(calls) == ["alone[1] 1", "batched[1] 1"]
    assert world.one("runs", f"dagster_run_id = '{second}'")["output"] == {
        "alone": [10, 20, 30],
        "batched": [10, 20, 30],
    }
    assert attempts_of(world, second) == [("alone", 1, 1), ("batched", 1, 1)]
    taken_over = world.sql(
        "select step_path, task_index, status, attempts_count from pgflow.step_tasks"
        " where run_id = %s and step_path <> 'a' order by 1, 2",
        second,
    )
    assert taken_over == [
        (slug, index, "completed", int(index == 1)) for slug in batches for index in range(3)
    ]
    assert_states_add_up(world)


def test_what_was_done_is_not_done_again_after_a_re_execution_that_crashed(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(elsewhere.EXECUTOR, "multiprocess")
    world.define(
        Flow("f", max_attempts=1)
        .step("a", handler="listed")
        .map("m", "noted", depends_on="a", batch_size=3)
    )
    run_elsewhere("f")
    [first] = world.instance.get_runs()
    (tmp_path / "crashes").touch()
    start_elsewhere("f", first.run_id).wait(300)
    second = world.instance.get_runs()[0]
    assert second.parent_run_id == first.run_id
    (tmp_path / "crashes").unlink()
    (tmp_path / "repaired").touch()
    (tmp_path / "calls").unlink()
    start_elsewhere("f", second.run_id).wait(300)
    assert (tmp_path / "calls").read_text("utf-8").splitlines() == ["m[1] 1"]
    world.settle()
    third = world.instance.get_runs()[0]
    row = world.one("runs", f"dagster_run_id = '{third.run_id}'")
    assert row["output"] == {"m": [10, 20, 30]}


def test_a_run_that_was_cancelled_amid_a_map_goes_on_with_what_is_left_of_it(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(elsewhere.EXECUTOR, "one_process_at_a_time")
    world.define(Flow("f").step("a", handler="listed").map("m", handler="stuck", depends_on="a"))
    process = start_elsewhere("f")
    poll((tmp_path / "begun").exists)
    [first] = world.instance.get_runs()
    world.instance.report_run_canceling(first)
    process.send_signal(signal.SIGINT)
    process.wait(300)
    assert (tmp_path / "calls").read_text("utf-8").splitlines() == ["m[0]", "m[1]"]
    (tmp_path / "repaired").touch()
    start_elsewhere("f", first.run_id, elsewhere.GOES_ON).wait(300)
    calls = (tmp_path / "calls").read_text("utf-8").splitlines()
    assert calls == ["m[0]", "m[1]", "m[1]", "m[2]"]
    world.settle()
    ended = world.sql("select status, output from pgflow.runs order by id")
    assert ended == [("cancelled", None), ("completed", {"m": [10, 20, 30]})]
    assert_states_add_up(world)


def test_what_a_re_execution_takes_over_is_done_whatever_becomes_of_the_rest(
    world: World,
) -> None:
    world.define(
        Flow("f")
        .step("a", handler="listed")
        .map("m", "noted", depends_on="a", batch_size=3, max_attempts=2, base_delay=0)
    )
    run_elsewhere("f")
    world.settle()
    first = world.one("runs")["dagster_run_id"]
    start_elsewhere("f", first).wait(300)
    world.settle()
    [second] = [run.run_id for run in world.instance.get_runs() if run.parent_run_id == first]
    assert attempts_of(world, second) == [("m", 1, 1), ("m", 1, 2)]
    told = world.sql.column(
        "select event_type || ' ' || (event_data ->> 'task_index') from pgflow.event_log"
        " where run_id = %s and correlation_id = 'm' and event_type like 'task.%%'"
        " order by sequence_num",
        second,
    )
    assert told == [
        "task.started 1",
        "task.completed 0",
        "task.retrying 1",
        "task.completed 2",
        "task.started 1",
        "task.failed 1",
    ]
    outputs = world.sql.column(
        "select output from pgflow.step_tasks where run_id = %s and step_path = 'm'"
        " order by task_index",
        second,
    )
    assert outputs == [10, None, 30]
    assert_states_add_up(world)


@pytest.mark.parametrize("executor", ["in_process", "multiprocess"])
def test_every_attempt_of_a_batch_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch, executor: str
) -> None:
    monkeypatch.setenv(elsewhere.EXECUTOR, executor)
    world.define(
        Flow("f")
        .step("a", handler="listed")
        .map("m", "noted", depends_on="a", batch_size=3, max_attempts=2, base_delay=0)
    )
    run_elsewhere("f")
    world.settle()
    assert world.tasks("m", "status") == ["completed", "failed", "completed"]
    assert world.tasks("m", "output") == [10, None, 30]
    assert world.attempts("m") == [
        (0, 1, "completed"),
        (1, 1, "failed"),
        (1, 2, "failed"),
        (2, 1, "completed"),
    ]
    workers = set(
        world.sql.column("select worker_id from pgflow.node_executions where step_path = 'm'")
    )
    assert None not in workers
    assert len(workers) == (2 if executor == "multiprocess" else 1)
    assert_states_add_up(world)


@pytest.mark.parametrize("fate", ["cancelled", "failed", "deleted"])
def test_a_run_that_ends_between_two_attempts_tells_the_truth_of_each_task(
    world: World, fate: str
) -> None:
    world.define(
        Flow("f")
        .step("a", handler="listed")
        .map("m", "noted", depends_on="a", batch_size=3, base_delay=600)
    )
    process = start_elsewhere("f")
    poll(lambda: waits(world, "m"))
    assert world.tasks("m", "status") == ["completed", "queued", "completed"]
    assert world.tasks("m", "output") == [10, None, 30]
    assert world.by_path("remaining_tasks")["m"] == 1
    process.kill()
    process.wait(300)
    [run] = world.instance.get_runs()
    match fate:
        case "cancelled":
            world.instance.report_run_canceled(run)
        case "failed":
            world.instance.report_run_failed(run, "The worker is gone.")
        case "deleted":
            world.instance.delete_run(run.run_id)
    world.sql("update pgflow.run_cursors set due_at = now()")
    world.settle()
    assert world.one("runs")["status"] == ("failed" if fate == "failed" else "cancelled")
    assert world.tasks("m", "status") == ["completed", "cancelled", "completed"]
    assert world.attempts("m") == [(0, 1, "completed"), (1, 1, "failed"), (2, 1, "completed")]
    assert "broken" in world.tasks("m", "error_message")[1]


def waits(world: World, path: str) -> bool:
    """Looks at the runs, and says whether a task of a step waits for another attempt."""
    world.project()
    counts = "select attempts_count from pgflow.step_tasks where status = 'queued'"
    return 1 in world.sql.column(f"{counts} and step_path = %s", path)


def attempts_of(world: World, run_id: str) -> list[tuple[Any, ...]]:
    return world.sql(
        "select step_path, task_index, attempt from pgflow.node_executions"
        " where run_id = %s order by step_path, task_index, attempt",
        run_id,
    )


def reused(world: World) -> list[str]:
    return world.sql.column(
        "select event_type || ' ' || correlation_id from pgflow.event_log"
        " where event_data ? 'reused' order by sequence_num"
    )

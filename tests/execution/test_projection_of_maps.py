"""What the run tables say about map steps and about values."""

from pathlib import Path
from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.run_state import STORED_AT_KEY
from dagster_pgflow.step_errors import NonRetryable
from tests.execution.projecting import World, assert_log_is_sound, world

__all__ = ["world"]


def echo(value: Any) -> Any:
    return value


def test_an_empty_map_completes_with_no_tasks(world: World) -> None:
    world.define(Flow("f").map("a").map("b", depends_on="a"))
    dagster_run_id = world.run("f", {"a": echo, "b": echo}, [])
    world.settle()
    assert world.by_path("status") == {"a": "completed", "b": "completed"}
    assert world.by_path("output") == {"a": [], "b": []}
    assert world.by_path("initial_tasks") == {"a": 0, "b": 0}
    assert world.sql("select from pgflow.step_tasks") == []
    assert_log_is_sound(world, dagster_run_id)


def test_what_is_no_list_fails_the_map_step(world: World) -> None:
    world.define(Flow("f").map("a"))
    dagster_run_id = world.run("f", {"a": echo}, {"not": "a list"})
    world.settle()
    assert world.by_path("status") == {"a": "failed"}
    assert "needs a list" in world.one("runs")["error_message"]
    assert_log_is_sound(world, dagster_run_id)


def test_nulls_survive_as_values(world: World) -> None:
    world.define(Flow("f").map("a").step("b", depends_on="a"))
    dagster_run_id = world.run("f", {"a": echo, "b": lambda _: None}, [None, 0, False, ""])
    world.settle()
    assert world.by_path("output")["a"] == [None, 0, False, ""]
    assert world.sql.value("select output::text from pgflow.step_states where step_slug = 'b'") == (
        "null"
    )
    assert world.one("runs")["output"] == {"b": None}
    assert_log_is_sound(world, dagster_run_id)


@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_batches_are_tasks_all_the_same(world: World, batch_size: int) -> None:
    world.define(Flow("f").map("a", batch_size=batch_size))
    dagster_run_id = world.run("f", {"a": lambda value: value + 1}, list(range(5)))
    world.settle()
    assert world.tasks("a", "status") == ["completed"] * 5
    assert world.tasks("a", "output") == [1, 2, 3, 4, 5]
    assert world.by_path("output")["a"] == [1, 2, 3, 4, 5]
    assert_log_is_sound(world, dagster_run_id)


@pytest.mark.parametrize("batch_size", [1, 2])
def test_one_failed_element_fails_the_map_and_the_others_tell_the_truth(
    world: World, batch_size: int
) -> None:
    def odd(value: int) -> int:
        if value == 3:
            raise NonRetryable("three")
        return value

    world.define(Flow("f").map("a", batch_size=batch_size).step("b", depends_on="a"))
    dagster_run_id = world.run("f", {"a": odd, "b": echo}, [1, 2, 3, 4, 5])
    world.settle()
    assert world.by_path("status") == {"a": "failed", "b": "cancelled"}
    assert world.tasks("a", "status")[2] == "failed"
    assert "three" in world.tasks("a", "error_message")[2]
    assert {"queued", "started"}.isdisjoint(world.tasks("a", "status"))
    assert_log_is_sound(world, dagster_run_id)


@pytest.mark.parametrize("batch_size", [1, 3, 5])
@pytest.mark.parametrize("mode", ["fail", "skip"])
@pytest.mark.parametrize("more", ["", "x" * 5000])
def test_the_tasks_of_a_map_that_failed_are_the_same_in_batches_of_any_size(
    world: World, batch_size: int, mode: Any, more: str
) -> None:
    def odd(value: int, context: Any) -> str:
        if value == 1:
            raise NonRetryable("one")
        if value > 2 and context.attempt < value:
            raise ValueError("not yet")
        return f"{value}{more}"

    flow = Flow("f", max_attempts=3, base_delay=0)
    world.define(flow.map("a", batch_size=batch_size, when_exhausted=mode))
    dagster_run_id = world.run("f", {"a": odd}, [0, 1, 2, 3, 4])
    world.settle()
    assert world.tasks("a", "status") == ["completed", "failed", "completed", "completed", "failed"]
    assert world.tasks("a", "attempts_count") == [1, 1, 1, 3, 3]
    assert world.tasks("a", "output") == [f"0{more}", None, f"2{more}", f"3{more}", None]
    assert_log_is_sound(world, dagster_run_id)


def test_a_map_may_be_skipped_because_its_handler_failed(world: World) -> None:
    def odd(value: int) -> int:
        if value == 3:
            raise NonRetryable("three")
        return value

    world.define(Flow("f").map("a", when_exhausted="skip").step("b", depends_on="a"))
    dagster_run_id = world.run("f", {"a": odd, "b": echo}, [1, 2, 3, 4])
    world.settle()
    assert world.by_path("status") == {"a": "skipped", "b": "completed"}
    assert world.by_path("skip_reason")["a"] == "handler_failed"
    assert "three" in world.by_path("error_message")["a"]
    assert world.tasks("a", "status") == ["completed", "completed", "failed", "completed"]
    assert_log_is_sound(world, dagster_run_id)


def test_a_batch_that_is_tried_again_keeps_count_of_each_element(world: World) -> None:
    def flaky(value: int, context: Any) -> int:
        if value == 2 and context.attempt == 1:
            raise ValueError("not yet")
        return value

    world.define(Flow("f").map("a", batch_size=3, max_attempts=2, base_delay=0))
    dagster_run_id = world.run("f", {"a": flaky}, [1, 2, 3])
    world.settle()
    assert world.tasks("a", "attempts_count") == [1, 2, 1]
    assert world.sql(
        "select event_data ->> 'task_index', event_type from pgflow.event_log"
        " where event_type like 'task.%' order by sequence_num"
    ) == [
        ("0", "task.started"),
        ("1", "task.started"),
        ("2", "task.started"),
        ("0", "task.completed"),
        ("1", "task.retrying"),
        ("2", "task.completed"),
        ("1", "task.started"),
        ("1", "task.completed"),
    ]
    assert_log_is_sound(world, dagster_run_id)


def test_large_outputs_come_from_the_stored_outputs(world: World) -> None:
    large = "x" * 10_000
    world.define(Flow("f").step("a").map("b", batch_size=2, depends_on="a"))
    dagster_run_id = world.run("f", {"a": lambda _: [large, "y", "z"], "b": echo})
    world.settle()
    assert world.by_path("output") == {"a": [large, "y", "z"], "b": [large, "y", "z"]}
    assert large not in str(world.sql("select event_data from pgflow.event_log"))
    assert_log_is_sound(world, dagster_run_id)


def test_spilled_outputs_are_named_by_their_place(world: World, tmp_path: Path) -> None:
    world.define(Flow("f").step("a"))
    large = "x" * 2_000_000
    dagster_run_id = world.run("f", {"a": lambda _: large}, spill_to=str(tmp_path))
    world.settle()
    place = world.by_path("output")["a"][STORED_AT_KEY]
    assert place.startswith(str(tmp_path))
    assert world.one("runs")["output"] == {"a": {STORED_AT_KEY: place}}
    assert_log_is_sound(world, dagster_run_id)

"""What the run tables say about subflows that run once for each item of a list."""

from typing import Any

from dagster_pgflow.model.flow import Flow
from tests.execution.harness import gives
from tests.execution.projecting import World, assert_log_is_sound, world
from tests.execution.small_flows import CHILD, HANDLERS, listing

__all__ = ["world"]


def test_a_subflow_over_a_list_has_a_subrun_for_each_item(world: World) -> None:
    world.define(CHILD, listing([1, 2, 3]))
    dagster_run_id = world.run("top", HANDLERS)
    world.settle()
    columns = "run_index, subrun_index, subrun_path, map_index, parent_step_slug, status, input"
    assert world.subruns(columns) == [
        (1, 1, "1", 0, "each", "completed", 1),
        (2, 2, "2", 1, "each", "completed", 2),
        (3, 3, "3", 2, "each", "completed", 3),
    ]
    assert world.subruns("output") == [({"note": {"twice": n}},) for n in (2, 4, 6)]
    assert set(world.by_path("status")) == {
        *("list", "each", "after"),
        *(f"each[{index}].{slug}" for index in range(3) for slug in ("twice", "note")),
    }
    step = world.one("step_states", "step_path = 'each'")
    assert (step["initial_tasks"], step["remaining_tasks"]) == (3, 0)
    assert step["output"] == [{"note": {"twice": n}} for n in (2, 4, 6)]
    assert step["started_at"] is not None
    assert world.tasks("each[1].twice", "output") == [4]
    numbers = world.by_path("subrun_id")
    assert len({numbers[f"each[{index}].note"] for index in range(3)}) == 3
    assert world.one("runs")["remaining_steps"] == 0
    assert_log_is_sound(world, dagster_run_id)


def test_more_than_ten_items_are_found_under_their_padded_keys(world: World) -> None:
    world.define(
        Flow("child").step("twice", "double"), listing(list(range(12)), output="$nodes.twice")
    )
    dagster_run_id = world.run("top", HANDLERS)
    world.settle()
    assert world.subruns("map_index, input, output") == [
        (n, n, {"twice": n * 2}) for n in range(12)
    ]
    assert world.by_path("output")["each"] == [n * 2 for n in range(12)]
    assert_log_is_sound(world, dagster_run_id)


def test_an_empty_list_has_no_subruns_and_completes(world: World) -> None:
    world.define(CHILD, listing([]))
    dagster_run_id = world.run("top", HANDLERS)
    world.settle()
    step = world.one("step_states", "step_path = 'each'")
    assert (step["status"], step["initial_tasks"], step["output"]) == ("completed", 0, [])
    assert world.subruns("subrun_id") == []
    assert world.by_path("output")["after"] == {"each": []}
    assert_log_is_sound(world, dagster_run_id)


def test_a_list_that_is_not_run_over_is_skipped_without_subruns(world: World) -> None:
    world.define(CHILD, listing([1, 2], if_={"list": [9]}))
    dagster_run_id = world.run("top", HANDLERS)
    world.settle()
    assert world.by_path("status") == {"list": "completed", "each": "skipped", "after": "completed"}
    assert world.by_path("initial_tasks")["each"] is None
    assert_log_is_sound(world, dagster_run_id)


def test_a_failed_item_fails_its_step_and_the_run(world: World) -> None:
    world.define(CHILD, listing([1, 13]))
    dagster_run_id = world.run("top", HANDLERS)
    world.settle()
    told = world.by_path("status")
    assert (told["each"], told["each[1].twice"], told["each[1].note"]) == (
        "failed",
        "failed",
        "cancelled",
    )
    assert world.subruns("status")[1] == ("failed",)
    run = world.one("runs")
    assert run["status"] == "failed"
    assert run["error_message"].startswith('Step "each[1].twice" failed: ')
    assert_log_is_sound(world, dagster_run_id)


def test_a_failed_item_that_is_routed_leaves_the_others_alone(world: World) -> None:
    flow = listing([1, 13, 3, 13], on_failure="mend").step("mend", "echo", depends_on="each")
    world.define(CHILD, flow)
    dagster_run_id = world.run("top", HANDLERS)
    world.settle()
    told = world.by_path("status")
    assert world.subruns("status") == [
        ("completed",),
        ("failed",),
        ("completed",),
        ("failed",),
    ]
    assert (told["each"], told["each[1].note"], told["each[2].note"]) == (
        "failed",
        "cancelled",
        "completed",
    )
    assert (told["after"], told["mend"]) == ("skipped", "completed")
    step = world.one("step_states", "step_path = 'each'")
    assert (step["initial_tasks"], step["remaining_tasks"]) == (4, 2)
    assert step["error_message"] == world.by_path("error_message")["each[1].twice"]
    run = world.one("runs")
    assert (run["status"], run["remaining_steps"]) == ("completed", 0)
    assert_log_is_sound(world, dagster_run_id)


def test_what_is_no_list_fails_the_step_or_is_routed(world: World) -> None:
    flow = listing({"no": "list"}, on_failure="mend").step("mend", "echo", depends_on="each")
    world.define(CHILD, flow)
    dagster_run_id = world.run("top", HANDLERS)
    world.settle()
    assert world.by_path("status") == {
        "list": "completed",
        "each": "failed",
        "after": "skipped",
        "mend": "completed",
    }
    assert "it must be a list" in world.by_path("error_message")["each"]
    assert_log_is_sound(world, dagster_run_id)


def test_items_are_numbered_behind_all_subruns_that_are_known_before(world: World) -> None:
    world.define(
        CHILD,
        Flow("leaf").step("x", "echo"),
        Flow("middle").subflow("inner", "leaf").step("m", "echo", depends_on="inner"),
        Flow("top")
        .subflow("one", "child", over="$input.a")
        .subflow("two", "middle", depends_on="one", over="$input.b")
        .subflow("three", "middle", depends_on="two"),
    )
    dagster_run_id = world.run("top", HANDLERS, {"a": [1], "b": [5, 6]})
    world.settle()
    assert world.subruns("run_index, subrun_path, parent_step_slug, map_index") == [
        (1, "1", "three", None),
        (2, "1.1", "inner", None),
        (3, "2", "one", 0),
        (4, "3", "two", 0),
        (5, "3.1", "inner", None),
        (6, "4", "two", 1),
        (7, "4.1", "inner", None),
    ]
    assert world.by_path("output")["two[1].inner.x"] == 6
    assert_log_is_sound(world, dagster_run_id)


def test_a_map_in_an_item_has_its_tasks(world: World) -> None:
    child = (
        Flow("child")
        .map("m", "double", collect_errors=True)
        .map("n", "echo", depends_on="m", pipelined=True)
        .step("sum", "echo", depends_on="n")
    )
    world.define(child, listing([[1, 13], [], [3]]))
    dagster_run_id = world.run("top", HANDLERS)
    world.settle()
    assert set(world.by_path("status").values()) == {"completed"}
    assert world.tasks("each[0].m", "status") == ["completed", "failed"]
    assert world.tasks("each[0].n", "output")[0] == 2
    assert world.tasks("each[1].m", "status") == []
    assert world.by_path("initial_tasks")["each[1].m"] == 0
    assert world.by_path("remaining_tasks")["each[0].m"] == 0
    assert world.by_path("output")["each[2].n"] == [6]
    assert_log_is_sound(world, dagster_run_id)


def test_a_map_in_an_item_may_be_large_and_tried_again(world: World) -> None:
    tries: list[int] = []

    def flaky(value: int) -> str:
        tries.append(value)
        if value == 1 and tries.count(1) == 1:
            raise ValueError("not yet")
        return "x" * 3000

    world.define(
        Flow("child").map("m", "flaky", max_attempts=2, base_delay=0), listing([[1, 2], [3]])
    )
    dagster_run_id = world.run("top", {**HANDLERS, "flaky": flaky})
    world.settle()
    assert set(world.by_path("status").values()) == {"completed"}
    assert [len(output) for output in world.tasks("each[0].m", "output")] == [3000, 3000]
    assert world.attempts("each[0].m") == [
        (0, 1, "failed"),
        (0, 2, "completed"),
        (1, 1, "completed"),
    ]
    assert len(world.by_path("output")["each"]) == 2
    assert_log_is_sound(world, dagster_run_id)


def test_a_failed_map_in_an_item_fails_the_item(world: World) -> None:
    child = Flow("child").map("m", "double").step("sum", "echo", depends_on="m")
    world.define(
        child, listing([[1, 13, 2], [4]], on_failure="mend").step("mend", "echo", depends_on="each")
    )
    dagster_run_id = world.run("top", HANDLERS)
    world.settle()
    assert world.tasks("each[0].m", "status") == ["completed", "failed", "completed"]
    assert world.subruns("status") == [("failed",), ("completed",)]
    assert_log_is_sound(world, dagster_run_id)


def test_a_list_in_a_subflow_that_fails_is_told_too(world: World) -> None:
    world.define(
        CHILD,
        Flow("middle")
        .step("list", **gives([13, 2]))
        .subflow("each", "child", depends_on="list", over="list"),
        Flow("top")
        .subflow("mid", "middle", on_failure="mend")
        .step("mend", "echo", depends_on="mid"),
    )
    dagster_run_id = world.run("top", HANDLERS)
    world.settle()
    told = world.by_path("status")
    assert (told["mid"], told["mid.each"], told["mid.each[0].note"]) == (
        "failed",
        "failed",
        "cancelled",
    )
    assert told["mid.each[1].note"] == "completed"
    assert world.subruns("subrun_path, status") == [
        ("1", "failed"),
        ("1.1", "failed"),
        ("1.2", "completed"),
    ]
    assert_log_is_sound(world, dagster_run_id)


def test_items_show_while_the_run_is_under_way_and_keep_their_numbers(world: World) -> None:
    seen: list[list[tuple[Any, ...]]] = []
    steps: list[dict[str, Any]] = []

    def look(value: Any) -> Any:
        world.sql("update pgflow.run_cursors set due_at = now()")
        world.project()
        seen.append(world.subruns("subrun_path, subrun_id, map_index"))
        steps.append(world.one("step_states", "step_path = 'each'"))
        return value

    world.define(Flow("child").step("a", "look"), listing(["x", "y"]))
    dagster_run_id = world.run("top", {**HANDLERS, "look": look})
    world.settle()
    assert seen[0] == seen[1] == world.subruns("subrun_path, subrun_id, map_index")
    assert [step["status"] for step in steps] == ["started", "started"]
    assert [step["remaining_tasks"] for step in steps] == [2, 1]
    assert_log_is_sound(world, dagster_run_id)

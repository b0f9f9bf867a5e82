"""What the run tables say of merged inputs and outputs, and that they can be made again."""

from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from tests.execution.harness import BUILT_IN, gives
from tests.execution.projecting import World, assert_log_is_sound, assert_states_add_up, world

__all__ = ["world"]

KEPT: dict[str, Any] = {"merge_input": True, "keep_input": True}
LARGE = "x" * 10_000
"""More than an event holds."""


def child(*, is_skipped: bool = False) -> Flow:
    return (
        Flow("child", merge_output=True)
        .step("x", **gives({"x": 1, "both": "x"}), **KEPT, run_if=str(not is_skipped).lower())
        .step("y", **gives({"y": 2, "both": "y"}), **KEPT, run_if=str(not is_skipped).lower())
    )


def top(mode: Any = "inline", **settings: Any) -> Flow:
    return (
        Flow("top", merge_output=True)
        .step("a", **gives({"a": 1, "large": LARGE}), keep_input=True)
        .subflow("s", "child", depends_on="a", mode=mode, **KEPT, **settings)
        .step("left", **gives({"left": 1}), depends_on="s", **KEPT)
        .step("right", "echo", depends_on="s", merge_input=True)
        .step("never", **gives({"never": 1}), depends_on="s", run_if="false")
    )


@pytest.mark.parametrize("mode", ["inline", "run"])
@pytest.mark.parametrize("mapping", [None, {"only": "$nodes.a.a"}], ids=["whole", "mapped"])
def test_rows_have_the_merged_objects(world: World, mode: str, mapping: Any) -> None:
    world.define(child(), top(mode, input=mapping))
    dagster_run_id = world.run("top", BUILT_IN, {"i": 0})
    world.settle()
    before = {"i": 0, "a": 1, "large": LARGE}
    received = {"only": 1} if mapping else before
    returned = {**received, "x": 1, "y": 2, "both": "y"}
    after = {**before, **returned}
    assert world.one("runs")["output"] == {**after, "left": 1}
    assert world.subruns("input, output") == [(received, returned)]
    outputs = world.by_path("output")
    assert outputs["a"] == before
    assert outputs["s"] == outputs["right"] == after
    assert outputs["s.x"] == {**received, "x": 1, "both": "x"}
    assert outputs["left"] == {**after, "left": 1}
    assert_log_is_sound(world, dagster_run_id)
    assert_states_add_up(world)


def test_a_run_whose_final_steps_were_all_skipped_returns_null(world: World) -> None:
    world.define(child(is_skipped=True))
    world.run("child", BUILT_IN, {"i": 0})
    world.settle()
    assert (world.one("runs")["status"], world.one("runs")["output"]) == ("completed", None)


def test_a_final_step_without_an_object_fails_the_run(world: World) -> None:
    world.define(Flow("top", merge_output=True, max_attempts=1).step("a", **gives([1])))
    world.run("top", BUILT_IN, {})
    world.settle()
    run = world.one("runs")
    assert (run["status"], run["output"]) == ("failed", None)
    assert 'step "a" returned a list' in run["error_message"]
    assert world.by_path("status") == {"a": "failed"}


def test_merged_outputs_of_items_and_iterations_stand_in_their_rows(world: World) -> None:
    looping = (
        Flow("top", merge_output=True)
        .step("draft", "count", keep_input=True, merge_input=True)
        .loop(
            "good",
            back_to="draft",
            condition="output.n < 2",
            max_iterations=3,
            depends_on="draft",
            **KEPT,
        )
        .subflow("each", "child", over="$input.them")
        .step("last", **gives({"last": True}), depends_on="each")
    )
    world.define(child(), looping)
    count = {**BUILT_IN, "count": lambda given: {"n": given.get("n", 0) + 1}}
    world.run("top", count, {"them": [{"n": 1}, {"n": 2}]})
    world.settle()
    items = [{"n": n, "x": 1, "y": 2, "both": "y"} for n in (1, 2)]
    assert world.subruns("output") == [(item,) for item in items]
    outputs = world.by_path("output")
    assert outputs["each"] == items
    assert outputs["good[2].draft"]["n"] == 2
    assert world.one("runs")["output"]["n"] == 2
    assert world.one("runs")["output"]["last"] is True

"""What the run tables say of steps of every kind that fail while their flow goes on."""

from collections.abc import Callable
from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from tests.execution.projecting import World, assert_log_is_sound, world
from tests.execution.small_flows import fail

__all__ = ["world"]

HANDLERS: dict[str, Callable[..., Any]] = {"echo": lambda given: given, "fail": fail}
PLAIN = Flow("f", max_attempts=1).step("begin", "echo")
FLOWS: dict[str, tuple[Flow, dict[str, str]]] = {
    "a single step": (
        PLAIN.step("a", "fail", depends_on="begin", on_failure="mend"),
        {"a": "failed"},
    ),
    "one of several": (
        PLAIN.step("b", "echo", depends_on="begin", on_failure="mend")
        .step("a", "fail", depends_on="b", on_failure="mend")
        .step("c", "echo", depends_on="a", on_failure="mend"),
        {"b": "completed", "a": "failed", "c": "skipped"},
    ),
    "a branch": (
        PLAIN.branch(
            "a", handler="fail", rules=[("true", "x")], depends_on="begin", on_failure="mend"
        ).step("x", "echo", depends_on="a"),
        {"a": "failed", "x": "skipped"},
    ),
    "a step before a map": (
        PLAIN.step("a", "fail", depends_on="begin", on_failure="mend").map(
            "x", "echo", depends_on="a"
        ),
        {"a": "failed", "x": "skipped"},
    ),
    "a map": (
        PLAIN.step("list", "list", depends_on="begin")
        .map("a", "fail", depends_on="list", on_failure="mend")
        .map("x", "echo", depends_on="a"),
        {"list": "completed", "a": "failed", "x": "skipped"},
    ),
    "a map over no list": (
        PLAIN.map("a", "echo", depends_on="begin", on_failure="mend"),
        {"a": "failed"},
    ),
    "a loop": (
        PLAIN.step("x", "echo", depends_on="begin").loop(
            "a", handler="fail", back_to="x", condition="true", max_iterations=3, depends_on="x",
            on_failure="mend",
        ),
        {"a": "failed", "a[1].a": "failed", "a[1].x": "completed"},
    ),
    "what a loop repeats": (
        PLAIN.step("x", "fail", depends_on="begin")
        .step("y", "echo", depends_on="x")
        .loop("a", back_to="x", condition="true", max_iterations=3, depends_on="y",
              on_failure="mend"),
        {"a": "failed", "a[1].a": "cancelled", "a[1].x": "failed", "a[1].y": "cancelled"},
    ),
    "what a loop repeats as runs": (
        PLAIN.step("x", "fail", depends_on="begin")
        .loop("a", back_to="x", condition="true", max_iterations=300, depends_on="x",
              on_failure="mend"),
        {"a": "failed", "a[1].a": "cancelled", "a[1].x": "failed"},
    ),
    "a join": (
        PLAIN.step("x", "fail", depends_on="begin")
        .step("y", "echo", depends_on="begin")
        .join("a", depends_on=["begin", "x", "y"], members=["x", "y"], on_failure="mend"),
        {"a": "failed", "x": "failed", "y": "completed"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FLOWS)
def test_the_step_failed_and_the_run_did_not(world: World, name: str) -> None:
    flow, wanted = FLOWS[name]
    failing = [step.slug for step in flow.steps if "mend" in step.failure_steps.values()]
    flow = flow.step("ship", "echo", depends_on="a").step("mend", "echo", depends_on=failing)
    world.define(flow.step("close", "echo", depends_on=["ship", "mend"]))
    dagster_run_id = world.run("f", HANDLERS | {"list": lambda _: [1, 2]}, {"id": 7})
    world.settle()
    others = {"begin": "completed", "ship": "skipped", "mend": "completed", "close": "completed"}
    assert world.by_path("status") == wanted | others
    run = world.one("runs")
    assert (run["status"], run["error_message"], run["remaining_steps"]) == ("completed", None, 0)
    error = world.by_path("error_message")["a"]
    lists = world.by_path("initial_tasks")
    maps = {step.slug for step in flow.steps if step.type == "map"} - set(failing)
    assert {lists[slug] for slug in maps} <= {0}
    told = world.by_path("output")["mend"]["a"]
    assert told["error"] == error
    assert world.by_path("skip_reason")["ship"] == "not_taken"
    said = world.sql.value(
        "select event_data from pgflow.event_log"
        " where event_type = 'step.failed' and correlation_id = 'a'"
    )
    assert said == {"error": error, "on_failure": "mend"}
    assert_log_is_sound(world, dagster_run_id)

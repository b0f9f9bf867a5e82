"""Failures that are caught in loops, in items and in runs inside a run, and what the rows say."""

from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from tests.execution.projecting import World, assert_log_is_sound, world
from tests.execution.small_flows import HANDLERS
from tests.reference.clock import out_of_time
from tests.reference.working import TookTooLong

__all__ = ["world"]

PLAIN = Flow("f", max_attempts=1).step("begin", "echo")
LONG = 300
"""Iterations of a loop of which each is a run of its own."""


def late(_given: Any) -> Any:
    raise TookTooLong


def ended(world: World, *flows: Flow, input: Any = None) -> dict[str, Any]:
    """Runs the last flow, and returns what its failure step received."""
    world.define(*flows)
    with out_of_time():
        run = world.run("f", HANDLERS | {"late": late}, input)
    world.settle()
    row = world.one("runs")
    assert (row["status"], row["error_message"], row["remaining_steps"]) == ("completed", None, 0)
    assert_log_is_sound(world, run)
    told: dict[str, Any] = world.by_path("output")["mend"]
    return told


def caught_by(world: World, path: str) -> Any:
    """Returns with which step the run went on behind another one, as the log says."""
    return world.sql.value(
        "select event_data ->> 'on_failure' from pgflow.event_log"
        " where event_type = 'step.failed' and correlation_id = %s",
        path,
    )


@pytest.mark.parametrize("iterations", [3, LONG])
def test_a_loop_takes_the_route_of_timeouts_of_what_it_repeats(
    world: World, iterations: int
) -> None:
    flow = (
        PLAIN.step("x", "late", depends_on="begin")
        .loop("a", back_to="x", condition="true", max_iterations=iterations, depends_on="x",
              on_timeout="mend")
        .step("mend", "echo", depends_on="a")
    )  # fmt: skip
    told = ended(world, flow)["a"]
    assert (told["step"], told["timeout"]) == ("x", True)
    assert world.by_path("status")["a"] == "failed"
    assert caught_by(world, "a") == "mend"


@pytest.mark.parametrize("iterations", [3, LONG])
def test_a_loop_tells_what_the_step_had_received_that_failed(world: World, iterations: int) -> None:
    flow = (
        PLAIN.step("x", "echo", depends_on="begin", merge_input=True)
        .step("y", "fail", depends_on="x", merge_input=True)
        .loop("a", back_to="x", condition="true", max_iterations=iterations, depends_on="y",
              on_failure="mend")
        .step("mend", "echo", depends_on="a", merge_input=True)
    )  # fmt: skip
    told = ended(world, flow, input={"id": 7})
    assert told["id"] == 7
    assert told["error"]["cell"] == "y"


@pytest.mark.parametrize("field", ["on_failure", "on_timeout"])
def test_the_rows_name_the_step_that_the_run_goes_on_with_after_a_timeout(
    world: World, field: str
) -> None:
    led: dict[str, Any] = {field: "mend"}
    flow = PLAIN.step("a", "late", depends_on="begin", **led)
    told = ended(world, flow.step("mend", "echo", depends_on="a"))["a"]
    assert told.get("timeout") == (True if field == "on_timeout" else None)
    assert caught_by(world, "a") == "mend"
    assert world.tasks("a", "status") == ["failed"]


@pytest.mark.parametrize("mode", ["inline", "run"])
def test_items_mend_their_own_failures(world: World, mode: Any) -> None:
    child = (
        Flow("g", max_attempts=1)
        .step("twice", "double", on_failure="instead")
        .step("instead", "echo", depends_on="twice")
    )
    flow = (
        PLAIN.step("list", "give", depends_on="begin", params={"value": [1, 13, 2]})
        .subflow("each", "g", depends_on="list", over="list", mode=mode)
        .step("mend", "echo", depends_on="each")
    )
    one, two, three = ended(world, child, flow)["each"]
    assert (one, three) == ({"twice": 2}, {"twice": 4}) or (one, three) == (None, None)
    assert two["instead"]["twice"]["step"] == "twice"
    assert world.by_path("status")["each[1].twice"] == "failed"


@pytest.mark.parametrize("mode", ["inline", "run"])
def test_a_flow_that_fails_after_a_loop_in_it_caught_a_failure_tells_of_both(
    world: World, mode: Any
) -> None:
    child = (
        Flow("g", max_attempts=1)
        .step("x", "fail")
        .loop("a", back_to="x", condition="true", max_iterations=2, depends_on="x",
              on_failure="instead")
        .step("instead", "fail", depends_on="a")
    )  # fmt: skip
    flow = PLAIN.subflow("p", "g", depends_on="begin", mode=mode, on_failure="mend")
    told = ended(world, child, flow.step("mend", "echo", depends_on="p"))["p"]
    seen = {(entry["step"], entry["status"]) for entry in told["child_trace"]}
    assert seen == {("a[1].x", "failed"), ("instead", "failed")}
    subrun = world.sql.value("select subrun_id from pgflow.subruns")
    rows = world.sql("select step, status from pgflow.child_trace(%s)", subrun)
    assert set(rows) == seen


def test_what_a_failed_step_received_is_told_however_large_it_is(world: World) -> None:
    flow = PLAIN.step("a", "fail", depends_on="begin", merge_input=True, on_failure="mend")
    large = {"text": "x" * 300_000, "dagster-pgflow/skipped": {"a": 1}}
    told = ended(world, flow.step("mend", "echo", depends_on="a", merge_input=True), input=large)
    assert told.pop("error")["cell"] == "a"
    assert told == large

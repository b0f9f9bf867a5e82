"""Pipelined map steps: an element goes on as soon as the map before is done with it."""

from collections.abc import Callable
from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.runtime.context import StepContext
from tests.execution.harness import run


class Journal:
    """A handler that notes where it was called, and adds one."""

    def __init__(self, fails_at: str = "") -> None:
        self.calls: list[str] = []
        self.fails_at = fails_at

    def __call__(self, value: Any, ctx: StepContext) -> Any:
        self.calls.append(ctx.task_path)
        if ctx.task_path == self.fails_at:
            raise ValueError("as told")
        return value + 1


def pipeline(length: int = 2, **head: Any) -> Flow:
    """Returns a flow of maps m0, m1, ..., each behind the first pipelined, and a sum."""
    flow = (
        Flow("f", max_attempts=1).step("list", "echo").map("m0", "add", depends_on="list", **head)
    )
    for index in range(1, length):
        flow = flow.map(f"m{index}", "add", depends_on=f"m{index - 1}", pipelined=True)
    return flow.step("all", "echo", depends_on=f"m{length - 1}")


@pytest.mark.parametrize("batch_size", [None, 1, 2, 5])
def test_the_outputs_are_those_of_maps_that_wait(batch_size: int | None) -> None:
    result = run(pipeline(3, batch_size=batch_size), [1, 2, 3, 4, 5], handlers={"add": Journal()})
    assert result.outputs["m1"] == [3, 4, 5, 6, 7]
    assert result.outputs["all"] == {"m2": [4, 5, 6, 7, 8]}
    assert result.helpers == []
    batches = 5 if batch_size is None else -(-5 // batch_size)
    counts = (5, batches)
    assert result.fans_out == {"list": {"m0": counts, "m1": counts, "m2": counts}}


def test_an_element_starts_before_the_map_before_has_failed_at_another() -> None:
    journal = Journal(fails_at="m0[2]")
    result = run(pipeline(), [1, 2, 3, 4], handlers={"add": journal})
    assert list(result.errors) == ["m0"]
    assert {call for call in journal.calls if call.startswith("m1")} == {
        "m1[0]",
        "m1[1]",
        "m1[3]",
    }


def test_the_map_behind_may_fail_too() -> None:
    result = run(pipeline(), [1, 2, 3], handlers={"add": Journal(fails_at="m1[1]")})
    assert list(result.errors) == ["m1"]
    assert 'step "m1[1]"' in result.error
    assert result.outputs["m0"] == [2, 3, 4]


def test_nothing_to_do_is_nothing_to_do_down_the_pipeline() -> None:
    result = run(pipeline(3), [], handlers={"add": Journal()})
    assert result.outputs["all"] == {"m2": []}
    assert result.outputs["m1"] == []


@pytest.mark.parametrize(
    ("when_unmet", "outputs", "skips"),
    [
        ("skip", {"m1": [], "all": {"m1": []}}, {"m0": "condition_unmet"}),
        (
            "skip-cascade",
            {},
            {"m0": "condition_unmet", "m1": "dependency_skipped", "all": "dependency_skipped"},
        ),
    ],
)
def test_a_skip_of_the_map_before_means_what_it_always_means(
    when_unmet: str, outputs: dict[str, Any], skips: dict[str, str]
) -> None:
    flow = pipeline(2, if_={"list": [99]}, when_unmet=when_unmet)
    result = run(flow, [1], handlers={"add": Journal()})
    assert {k: v for k, v in result.outputs.items() if k != "list"} == outputs
    assert result.skips == skips


def test_collected_errors_are_elements_of_the_next_map() -> None:
    seen: list[Any] = []

    def note(value: Any) -> Any:
        seen.append(value)
        return isinstance(value, dict)

    handlers: dict[str, Callable[..., Any]] = {"add": Journal(fails_at="m0[1]"), "note": note}
    flow = (
        Flow("f", max_attempts=1)
        .map("m0", "add", collect_errors=True)
        .map("m1", "note", depends_on="m0", pipelined=True)
    )
    result = run(flow, [1, 2], handlers=handlers)
    assert result.outputs["m1"] == [False, True]
    assert seen[0] == 2


def test_a_pipeline_inside_a_subflow_and_one_that_is_joined() -> None:
    inner = (
        Flow("inner")
        .map("m0", "add")
        .map("m1", "add", depends_on="m0", pipelined=True)
        .map("m2", "add", depends_on="m1")
    )
    flow = (
        Flow("f")
        .step("a", "echo")
        .subflow("s", inner)
        .map("n0", "add", depends_on="a")
        .map("n1", "add", depends_on="n0", pipelined=True)
        .step("all", "echo", depends_on=["n0", "n1", "s", "a"])
    )
    result = run(flow, [1, 2], others=[inner], handlers={"add": Journal()})
    assert result.outputs["all"] == {
        "n0": [2, 3],
        "n1": [3, 4],
        "s": {"m2": [4, 5]},
        "a": [1, 2],
    }


def test_a_map_that_waits_may_stand_behind_a_pipeline_and_beside_it() -> None:
    flow = (
        pipeline()
        .map("waits", "add", depends_on="m1")
        .map("beside", "add", depends_on="m0")
        .map("fork", "add", depends_on="m0", pipelined=True)
    )
    result = run(flow, [1, 2], handlers={"add": Journal()})
    assert (result.outputs["waits"], result.outputs["beside"]) == ([4, 5], [3, 4])
    assert result.outputs["fork"] == [3, 4]


def test_a_failure_leaves_no_run_hanging_that_joins_a_pipeline_with_another_map() -> None:
    flow = (
        pipeline()
        .map("other", "add", depends_on="list")
        .step("join", "echo", depends_on=["m1", "other"])
        .step("last", "echo", depends_on="join")
    )
    result = run(flow, [1, 2], handlers={"add": Journal(fails_at="m0[0]")})
    assert list(result.errors) == ["m0"]
    assert "join" not in result.outputs


def test_a_start_delay_holds_each_batch_once() -> None:
    flow = (
        Flow("f").map("m0", "add").map("m1", "add", depends_on="m0", pipelined=True, start_delay=1)
    )
    result = run(flow, [1, 2], handlers={"add": Journal()})
    assert result.outputs["m1"] == [3, 4]
    assert [task.attempts for task in result.tasks["m1"]] == [1, 1]
    for before, behind in zip(result.tasks["m0"], result.tasks["m1"], strict=True):
        assert behind.started_at - before.completed_at >= 1

"""Loops in real Dagster where something fails, is skipped, or is tried again."""

from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from tests.execution.harness import run
from tests.execution.test_loops import iterations_of

BEHIND, NOT_TAKEN = "dependency_skipped", "not_taken"


def failing_in(iteration: int) -> Any:
    def fail(given: Any, ctx: Any) -> Any:
        if ctx.iteration == iteration:
            raise ValueError("no ink")
        return given

    return fail


def test_a_failure_in_an_iteration_fails_the_run_and_ends_it() -> None:
    flow = Flow("f", max_attempts=1).step("a", "fail").step("b", "echo", depends_on="a")
    flow = flow.loop("l", back_to="a", condition="true", max_iterations=3, depends_on="b")
    result = run(flow.step("end", "echo", depends_on="l"), {}, handlers={"fail": failing_in(2)})
    assert not result.success
    assert set(result.errors) == {"l__iteration_2.a"}
    assert 'step "l[2].a"' in result.error


@pytest.mark.parametrize("iteration", [1, 2])
def test_a_failure_in_an_iteration_is_that_of_the_subflow_around_it(iteration: int) -> None:
    child = (
        Flow("child", max_attempts=1)
        .step("a", "fail")
        .step("b", "echo", depends_on="a")
        .loop("l", back_to="a", condition="true", max_iterations=3, depends_on="b")
        .step("after", "echo", depends_on="l")
    )
    flow = (
        Flow("f")
        .subflow("sub", child, on_failure="repair")
        .step("repair", "echo", depends_on="sub")
        .step("goes_on", "echo", depends_on="sub")
    )
    result = run(flow, {}, others=[child], handlers={"fail": failing_in(iteration)})
    assert result.success
    told = result.outputs["repair"]["sub"]
    assert "no ink" in told["error"]
    steps = [entry["step"] for entry in told["child_trace"]]
    assert steps[-1] == f"l[{iteration}].a"
    assert result.skips["goes_on"] == NOT_TAKEN


def test_a_failure_inside_may_be_caught_inside() -> None:
    child = Flow("child", max_attempts=1).step("try", "break")
    flow = (
        Flow("f")
        .subflow("sub", child, on_failure="repair")
        .step("repair", "echo", depends_on="sub")
        .loop("l", back_to="sub", condition="true", max_iterations=2, depends_on=["sub", "repair"])
    )

    def fail(_: Any) -> None:
        raise ValueError("no")

    result = run(flow, {}, others=[child], handlers={"break": fail})
    assert result.success
    assert len(iterations_of(result.executions, "repair")) == 2


def test_where_the_run_does_not_come_by_a_loop_is_skipped_with_all_in_it() -> None:
    flow = (
        Flow("f")
        .branch("route", rules=[("input.go", "a")], default_path="b")
        .step("a", "echo", depends_on="route")
        .step("a2", "echo", depends_on="a")
        .loop("l", back_to="a", condition="true", max_iterations=2, break_path="x", depends_on="a2")
        .step("x", "echo", depends_on="l")
        .step("y", "echo", depends_on="l")
        .step("b", "echo", depends_on="route")
        .step("end", "echo", depends_on=["y", "b"])
    )
    result = run(flow, {"go": False})
    assert result.success
    assert result.outputs["end"] == {"b": {"route": {"go": False}}}
    assert {path: result.skips[path] for path in ("x", "y")} == {"x": NOT_TAKEN, "y": NOT_TAKEN}
    assert iterations_of(result.executions, "a") == ["l__iteration_1.a"]
    assert set(run(flow, {"go": True}).outputs["end"]) == {"y"}


def test_a_skip_that_cascades_into_a_loop_cascades_out_of_it() -> None:
    flow = (
        Flow("f")
        .step("a", "echo", if_={"no": 1}, when_unmet="skip-cascade")
        .step("b", "echo", depends_on="a")
        .loop("l", back_to="b", condition="true", max_iterations=2, depends_on="b")
        .step("end", "echo", depends_on="l")
    )
    result = run(flow, {})
    assert result.success
    assert result.skips["end"] == BEHIND


def test_in_a_subflow_that_may_not_run_a_loop_is_skipped() -> None:
    child = (
        Flow("child")
        .step("a", "echo")
        .loop("l", back_to="a", condition="true", max_iterations=2, depends_on="a")
    )
    flow = Flow("f").subflow("sub", child, if_={"no": 1}).step("end", "echo", depends_on="sub")
    result = run(flow, {}, others=[child])
    assert result.success
    assert result.outputs["end"] == {}


def test_flow_input_that_looks_like_a_marker_is_data_in_every_iteration() -> None:
    flow = (
        Flow("f")
        .step("a", "one")
        .loop("l", back_to="a", condition="ctx.iteration < 2", max_iterations=2, depends_on="a")
        .step("end", "input", depends_on="l")
    )
    odd = {"dagster-pgflow/skipped": {"x": 1}}
    handlers: Any = {"input": lambda _, ctx: str(ctx.flow_input), "one": lambda _: 1}
    assert run(flow, odd, handlers=handlers).outputs["end"] == str(odd)


def test_attempts_and_delays_are_those_of_any_step() -> None:
    tries: list[str] = []

    def flaky(given: Any, ctx: Any) -> Any:
        tries.append(ctx.idempotency_key.partition(":")[2])
        if len(tries) % 2:
            raise ValueError("try again")
        return given

    flow = (
        Flow("f", max_attempts=2, base_delay=0)
        .step("a", "flaky")
        .loop("l", back_to="a", condition="ctx.iteration < 2", max_iterations=2, depends_on="a")
    )
    assert run(flow, {}, handlers={"flaky": flaky}).success
    assert tries == ["l[1].a:0", "l[1].a:0", "l[2].a:0", "l[2].a:0"]


def test_slugs_that_look_like_iterations_are_none() -> None:
    flow = (
        Flow("f")
        .step("l__iteration_1", "echo")
        .loop(
            "l",
            back_to="l__iteration_1",
            condition="ctx.iteration < 2",
            max_iterations=2,
            depends_on="l__iteration_1",
        )
        .step("l__iteration_2", "echo", depends_on="l")
        .subflow("s__iteration_1", "child", depends_on="l")
        .step("end", "echo", depends_on=["l__iteration_2", "s__iteration_1"])
    )
    result = run(flow, {"x": 1}, others=[Flow("child").step("end", "echo")])
    assert result.success
    assert set(result.outputs["end"]) == {"l__iteration_2", "s__iteration_1"}


def test_a_branch_outside_may_lead_into_the_middle_of_a_loop() -> None:
    flow = (
        Flow("f")
        .branch("route", rules=[("input.extra", "extra")], default_path="plain")
        .step("plain", "echo", depends_on="route")
        .step("a", "echo", depends_on="route")
        .step("extra", "echo", depends_on=["a", "route"])
        .loop(
            "l",
            back_to="a",
            condition="ctx.iteration < 2",
            max_iterations=2,
            depends_on=["a", "extra"],
        )
        .step("end", "echo", depends_on="l")
    )
    assert run(flow, {"extra": True}).success
    result = run(flow, {"extra": False})
    assert result.success
    assert result.skips == {
        "l__iteration_1.extra": NOT_TAKEN,
        "l__iteration_1.l": NOT_TAKEN,
        "end": NOT_TAKEN,
    }


def test_values_of_any_size_travel_through_passes() -> None:
    big = "x" * 1_000_000
    flow = (
        Flow("f")
        .step("big", "big")
        .step("a", "echo", depends_on="big")
        .loop("l", back_to="a", condition="ctx.iteration < 3", max_iterations=3, depends_on="a")
        .step("end", "echo", depends_on="l")
    )
    result = run(flow, {}, handlers={"big": lambda _: big})
    assert result.outputs["end"]["l"]["big"] == big


def test_a_loop_that_a_subflow_begins_with_does_not_run_when_its_input_does_not_fit() -> None:
    child = (
        Flow("child", input_schema={"type": "object", "required": ["topic"]})
        .step("a", "note")
        .step("title", "echo")
        .step("b", "echo", depends_on=["a", "title"])
        .loop("l", back_to="a", condition="true", max_iterations=2, depends_on="b")
    )
    flow = Flow("f").subflow("sub", child, on_failure="repair")
    flow = flow.step("repair", "echo", depends_on="sub")
    called: list[Any] = []
    result = run(flow, {}, others=[child], handlers={"note": called.append})
    assert result.success
    told = result.outputs["repair"]["sub"]
    assert "does not fit its input schema" in told["error"]
    assert called == []

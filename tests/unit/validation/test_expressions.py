import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.expressions import expressions_are_conditions
from tests.unit.validation.problems import places, problems_found


def test_sound_expressions_on_every_kind_of_step_are_no_problem() -> None:
    flow = (
        Flow("f")
        .step("a", run_if="input.n > 1", run_unless="ctx.params.off == true")
        .map("m", depends_on="a", run_if="size(output) > 0")
        .subflow("s", "g", depends_on=["a", "m"], run_unless="has(deps.m) && flow_input.dry")
    )
    assert problems_found(expressions_are_conditions, flow) == []


def test_each_expression_that_is_no_condition_is_a_problem_with_its_place() -> None:
    flow = Flow("f").step("a", run_if="input.n >", run_unless="1")
    assert problems_found(expressions_are_conditions, flow) == [
        (
            "invalid-expression",
            "steps.a.run_if",
            "`input.n >` is not a condition: line 1, column 10: it ends too early.",
        ),
        (
            "invalid-expression",
            "steps.a.run_unless",
            "`1` is not a condition: line 1, column 1: it gives a number, not true or false.",
        ),
    ]


@pytest.mark.parametrize(
    ("deps", "is_sound"), [([], False), (["a"], True), (["a", "a"], True), (["a", "b"], False)]
)
def test_output_is_that_of_the_only_dependency(deps: list[str], is_sound: bool) -> None:
    flow = Flow("f").step("a").step("b").step("c", depends_on=deps, run_if="output.ok")
    found = [] if is_sound else [("invalid-expression", "steps.c.run_if")]
    assert places(expressions_are_conditions, flow) == found


def test_what_a_branch_and_a_loop_ask_may_be_about_their_own_output() -> None:
    flow = (
        Flow("f")
        .branch("route", rules=[("output.ok && ctx.iteration < 3", "x")], run_if="input.n > 1")
        .loop("again", back_to="again", condition="output.again || deps == {}", max_iterations=2)
    )
    assert problems_found(expressions_are_conditions, flow) == []


def test_each_decision_that_is_no_condition_is_a_problem_with_its_place() -> None:
    flow = (
        Flow("f")
        .branch("route", rules=[("true", "x"), ("size(output)", "y")], run_if="output.ok")
        .loop("again", back_to="again", condition="ctx.iterations < 3", max_iterations=2)
    )
    assert places(expressions_are_conditions, flow) == [
        ("invalid-expression", "steps.route.run_if"),
        ("invalid-expression", "steps.route.rules[1].when"),
        ("invalid-expression", "steps.again.condition"),
    ]
    [*_, (_, _, message)] = problems_found(expressions_are_conditions, flow)
    assert "ctx.step_path, ctx.iteration, ctx.max_iterations, ctx.params" in message

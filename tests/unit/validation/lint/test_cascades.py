import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.lint.cascades import final_steps_are_reached
from tests.unit.validation.problems import places, problems_found

CASCADING = (
    Flow("f")
    .step("a", if_={"x": 1}, when_unmet="skip-cascade")
    .step("b", depends_on="a")
    .step("c", depends_on="b")
)


def test_a_final_step_behind_a_cascade_is_told_with_its_cause() -> None:
    assert problems_found(final_steps_are_reached, CASCADING.step("other")) == [
        (
            "cascade-to-final-step",
            "steps.c",
            (
                'Final step "c" is skipped whenever "a" is (skip-cascade), and the flow\'s output'
                ' then lacks "c"; use skip, or give the flow an output_schema that does not'
                ' require "c".'
            ),
        )
    ]


def test_without_another_final_step_the_whole_output_is_null() -> None:
    [(_, _, message)] = problems_found(final_steps_are_reached, CASCADING)
    assert "the flow's output then is null" in message


def test_an_expression_can_cascade_too() -> None:
    flow = Flow("f").step("a", run_if="input.ok", when_unmet="skip-cascade")
    assert places(final_steps_are_reached, flow.step("b", depends_on="a")) == [
        ("cascade-to-final-step", "steps.b")
    ]


def test_a_handler_that_fails_can_cascade_too() -> None:
    flow = Flow("f").step("a", when_exhausted="skip-cascade").map("m", depends_on="a")
    assert places(final_steps_are_reached, flow) == [("cascade-to-final-step", "steps.m")]


def test_an_output_schema_that_does_not_require_the_step_says_that_this_is_meant() -> None:
    meant = CASCADING.model_copy(update={"output_schema": {"type": "object"}})
    assert problems_found(final_steps_are_reached, meant) == []
    needed = CASCADING.model_copy(update={"output_schema": {"required": ["c"]}})
    assert places(final_steps_are_reached, needed) == [("cascade-to-final-step", "steps.c")]


@pytest.mark.parametrize(
    "flow",
    [
        Flow("f").step("a", if_={"x": 1}).step("b", depends_on="a"),
        Flow("f").step("a", if_={"x": 1}, when_unmet="skip-cascade"),
        Flow("f").step("a", when_unmet="skip-cascade").step("b", depends_on="a"),
        Flow("f").subflow("a", "g", when_exhausted="skip-cascade").step("b", depends_on="a"),
        Flow("f")
        .step("a", depends_on="b")
        .step("b", depends_on="a", when_exhausted="skip-cascade"),
    ],
    ids=["skip", "final itself", "no condition", "subflow has no attempts", "cycle"],
)
def test_nothing_else_is_told(flow: Flow) -> None:
    assert problems_found(final_steps_are_reached, flow) == []


def test_a_long_diamond_is_looked_at_quickly() -> None:
    flow = Flow("f").step("s0", when_exhausted="skip-cascade")
    for layer in range(1, 200):
        sides = [f"l{layer}", f"r{layer}"]
        for side in sides:
            flow = flow.step(side, depends_on=f"s{layer - 1}", when_exhausted="skip-cascade")
        flow = flow.step(f"s{layer}", depends_on=sides, when_exhausted="skip-cascade")
    [(_, _, message)] = problems_found(final_steps_are_reached, flow)
    assert '"l199" or "r199" or "s198" is' in message

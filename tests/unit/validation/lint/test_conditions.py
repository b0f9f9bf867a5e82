from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.runtime.conditions import unmet_condition
from dagster_pgflow.validation.lint.conditions import conditions_can_hold
from tests.unit.validation.problems import places, problems_found

ABOVE = Flow("f").step("a").map("m", depends_on="a").subflow("s", "other", depends_on="a")

SCALARS = st.sampled_from([None, 0, 1, "x"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("k"), inner),
    max_leaves=4,
)
PATTERNS = st.dictionaries(st.sampled_from("amsx"), VALUES, max_size=2)
INPUTS = st.fixed_dictionaries(
    {},
    optional={
        "a": VALUES,
        "m": st.lists(VALUES, max_size=2),
        "s": st.none() | st.dictionaries(st.just("k"), VALUES),
    },
)


def test_a_pattern_that_names_no_dependency_never_holds() -> None:
    flow = ABOVE.step("b", depends_on="a", if_={"a": 1, "order": {"paid": True}, "m": []})
    assert problems_found(conditions_can_hold, flow) == [
        (
            "condition-never-holds",
            "steps.b.if",
            (
                'The condition of step "b" never holds, so it is always skipped: the step does not'
                ' depend on "order" or "m", and only dependencies are in its input.'
            ),
        )
    ]


def test_the_warning_says_what_follows() -> None:
    for mode, consequence in {
        "skip": "so it is always skipped:",
        "skip-cascade": "so it is always skipped, and all that depends on it:",
        "fail": "so every run fails:",
    }.items():
        flow = ABOVE.model_validate(
            {
                "slug": "f",
                "steps": [
                    {"type": "single", "slug": "a"},
                    {
                        "type": "single",
                        "slug": "b",
                        "depends_on": ["a"],
                        "if": {"x": 1},
                        "when_unmet": mode,
                    },
                ],
            }
        )
        [(_, _, message)] = problems_found(conditions_can_hold, flow)
        assert consequence in message


@pytest.mark.parametrize("pattern", [{}, {"a": None}, {"m": [1]}, {"s": {"x": 1}}, {"s": None}])
def test_a_pattern_that_may_be_met_is_fine(pattern: dict[str, object]) -> None:
    flow = ABOVE.step("b", depends_on=["a", "m", "s"], if_=pattern)
    assert problems_found(conditions_can_hold, flow) == []


def test_the_pattern_of_a_root_step_is_about_the_flow_input() -> None:
    flow = Flow("f").step("a", if_={"anything": 1}, if_not={"else": 2}).subflow("s", "x", if_={})
    assert problems_found(conditions_can_hold, flow) == []


@pytest.mark.parametrize("pattern", [{}, {"a": 1}])
def test_a_root_map_gets_a_list_which_contains_no_object(pattern: dict[str, object]) -> None:
    flow = Flow("f").map("m", if_=pattern, if_not=pattern)
    assert places(conditions_can_hold, flow) == [
        ("condition-never-holds", "steps.m.if"),
        ("condition-without-effect", "steps.m.if_not"),
    ]


def test_a_pattern_of_another_kind_than_the_output_never_holds() -> None:
    flow = ABOVE.step("b", depends_on="m", if_={"m": {"ok": True}})
    flow = flow.step("c", depends_on="s", if_={"s": ["x"]})
    told = [message for _, _, message in problems_found(conditions_can_hold, flow)]
    assert '"m" is a map step, whose output is a list' in told[0]
    assert '"s" is a subflow, whose output is an object' in told[1]


def test_a_forbidden_pattern_that_nothing_contains_has_no_effect() -> None:
    flow = ABOVE.step("b", depends_on="a", if_not={"order": 1})
    assert places(conditions_can_hold, flow) == [("condition-without-effect", "steps.b.if_not")]


def test_an_empty_forbidden_pattern_forbids_everything() -> None:
    flow = ABOVE.step("b", depends_on="a", if_not={})
    assert places(conditions_can_hold, flow) == [("condition-never-holds", "steps.b.if_not")]


@given(PATTERNS, PATTERNS, INPUTS)
def test_what_is_said_never_to_hold_never_does(
    wanted: dict[str, Any], forbidden: dict[str, Any], step_input: dict[str, Any]
) -> None:
    above = ["a", "m", "s"]
    for flow in (
        ABOVE.step("b", depends_on=above, if_=wanted),
        ABOVE.step("b", depends_on=above, if_not=forbidden),
    ):
        unmet = unmet_condition(flow.steps[-1], step_input)
        for code, _, _ in problems_found(conditions_can_hold, flow):
            assert (unmet is not None) == (code == "condition-never-holds")

"""`pgflow.pick`: what is handed on of what arrived."""

from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.step_errors import NonRetryable
from dagster_pgflow.validation.validate import validate
from tests.unit.runtime.nodes import output_of

HUGE = 10**40


@pytest.mark.parametrize(
    ("params", "output"),
    [
        ({}, {"a": {"n": HUGE, "none": None}, "b": 1}),
        ({"of": ["a.n"]}, HUGE),
        ({"of": ["b.n", "c", "a"]}, {"n": HUGE, "none": None}),
        ({"of": ["a.none", "b"]}, None),
    ],
)
def test_the_first_value_that_is_there_is_handed_on_untouched(
    params: dict[str, Any], output: Any
) -> None:
    value = {"a": {"n": HUGE, "none": None}, "b": 1}
    assert output_of("pick", params, value, depends_on=("a", "b")) == output


@pytest.mark.parametrize(
    ("value", "keys"), [({"a": 1, "b": 2}, "a, b"), ([1], "none"), ({}, "none")]
)
def test_where_no_path_leads_to_a_value_the_keys_are_told(value: Any, keys: str) -> None:
    with pytest.raises(NonRetryable, match=f"nothing to pick at `x.y` or `z`.*: {keys}\\."):
        output_of("pick", {"of": ["x.y", "z"]}, value)


def test_a_path_with_gaps_is_a_problem_of_the_flow() -> None:
    flow = Flow("f").step("s", "pgflow.pick", params={"of": ["a..b", "a.b"]})
    assert [(one.code, one.path) for one in validate(flow)] == [
        ("path-with-gaps", "steps.s.params.of[0]")
    ]

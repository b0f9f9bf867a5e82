from typing import Any

import pytest

from dagster_pgflow import read_workflow
from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.limits import MOST_DIGITS, MOST_LEVELS
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.lint.lint import lint
from dagster_pgflow.validation.validate import validate
from tests.hostile_json import nested

ENDLESS: dict[str, Any] = {}
ENDLESS["itself"] = ENDLESS

CHILD = Flow("child").step("a")
PLACES = {
    "input_schema": lambda value: Flow("f", input_schema={"default": value}).step("a"),
    "output_schema": lambda value: Flow("f", output_schema={"const": value}).step("a"),
    "steps.a.params": lambda value: Flow("f").step("a", params={"x": value}),
    "steps.a.if": lambda value: Flow("f").step("a", if_={"x": value}),
    "steps.a.if_not": lambda value: Flow("f").step("a", if_not={"x": value}),
    "steps.s.input": lambda value: Flow("f").subflow("s", CHILD, input={"x": value}),
    "steps.s.output": lambda value: Flow("f").subflow("s", CHILD, output={"x": value}),
    "schedules.s.input": lambda value: (
        Flow("f").step("a").schedule("s", "0 0 * * *", input={"x": value})
    ),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("value", "told"),
    [
        (nested(1, MOST_LEVELS), "nested more than 100 levels deep"),
        (nested(1, 900), "nested more than 100 levels deep"),
        (10**MOST_DIGITS, "a number of more than 1,000 digits"),
    ],
    ids=["levels", "many levels", "digits"],
)
def test_a_value_beyond_the_limits_is_a_problem_wherever_it_stands(
    place: str, value: Any, told: str
) -> None:
    [problem] = validate(PLACES[place](value), {"child": CHILD})
    assert (problem.code, problem.path) == ("value-beyond-limits", place)
    assert told in problem.message


@pytest.mark.parametrize("place", PLACES)
def test_what_is_just_within_the_limits_is_none(place: str) -> None:
    for value in (nested(1, MOST_LEVELS - 1), 10**MOST_DIGITS - 1):
        found = validate(PLACES[place](value), {"child": CHILD})
        assert "value-beyond-limits" not in [problem.code for problem in found]


@pytest.mark.parametrize(
    "value", [nested(None, 5000), ENDLESS, 10**5000], ids=["deep", "endless", "long"]
)
def test_warnings_and_workflow_documents_are_no_way_round(value: Any) -> None:
    flow = Flow("f").step("a", params={"x": value}, if_={"x": value})
    assert lint(flow) == ()
    node = {"id": "a", "type": "function", "config": {"handler": "h", "params": {"x": value}}}
    with pytest.raises(InvalidFlow, match="The document is refused: it "):
        read_workflow({"metadata": {"name": "f"}, "nodes": [node], "edges": []})

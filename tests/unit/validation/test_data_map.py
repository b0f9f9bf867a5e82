"""What is said of merged and kept inputs before anything runs."""

from typing import Any, Literal

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.lint.lint import lint
from dagster_pgflow.validation.validate import validate

CLOSED = {
    "type": "object",
    "properties": {"total": {"type": "integer"}},
    "required": ["total"],
    "additionalProperties": False,
}
TAKES = {"type": "object", "required": ["tax"]}


def codes(flow: Flow, *others: Flow) -> list[str]:
    return [problem.code for problem in validate(flow, {other.slug: other for other in others})]


@pytest.mark.parametrize("field", ["merge_input", "keep_input"])
def test_a_flow_for_each_item_neither_merges_nor_keeps(
    field: Literal["merge_input", "keep_input"],
) -> None:
    settings: Any = {field: True}
    flow = Flow("f").subflow("s", "child", over="$input.them", **settings)
    [problem] = validate(flow)
    assert (problem.code, problem.path) == ("data-map-over-a-list", f"steps.s.{field}")
    assert problem.message == (
        f'Step "s" runs over a list: its flow receives an item, and it returns a list; leave'
        f" {field} out."
    )


def test_a_map_step_has_neither_field() -> None:
    document = {"type": "map", "slug": "a", "merge_input": True}
    with pytest.raises(Exception, match="merge_input"):
        Flow.model_validate({"slug": "f", "steps": [document]})


def test_a_flow_gets_the_merged_object_which_its_schema_is_held_to() -> None:
    def outer(**settings: Any) -> Flow:
        flow = Flow("f").step("a")
        [a] = flow.steps
        typed = flow.model_copy(update={"steps": (a.model_copy(update={"output_schema": CLOSED}),)})
        return typed.subflow("s", "child", depends_on="a", **settings)

    child = Flow("child", input_schema=TAKES).step("x")
    assert codes(outer(merge_input=True), child) == ["missing-input-field"]
    assert codes(outer(), child) == ["missing-input-field"]
    sound = Flow("child", input_schema={"required": ["total"]}).step("x")
    assert codes(outer(merge_input=True), sound) == []


def test_conditions_ask_for_keys_of_the_merged_object() -> None:
    flow = Flow("f").step("a").step("b", depends_on="a", merge_input=True, if_={"paid": True})
    assert lint(flow) == ()
    by_name = Flow("f").step("a").step("b", depends_on="a", if_={"paid": True})
    assert [warning.code for warning in lint(by_name)] == ["condition-never-holds"]


def test_a_key_that_no_merged_object_has_is_a_problem_and_one_from_below_is_none() -> None:
    steps = Flow("f").step("a").step("b", depends_on="a", merge_input=True, run_if="input.tax > 1")
    a, b = steps.steps
    closed = a.model_copy(update={"output_schema": CLOSED})
    assert codes(steps.model_copy(update={"steps": (closed, b)})) == ["unknown-field"]
    kept = closed.model_copy(update={"keep_input": True})
    assert codes(steps.model_copy(update={"steps": (kept, b)})) == []


def test_lists_that_are_merged_are_warned_of() -> None:
    flow = (
        Flow("f", merge_output=True)
        .step("a")
        .map("each", depends_on="a")
        .step("b", depends_on="each", merge_input=True)
        .map("last", depends_on="a")
    )
    assert [(one.code, one.path) for one in lint(flow)] == [
        ("list-is-merged", "steps.b.merge_input"),
        ("list-is-merged", "merge_output"),
    ]

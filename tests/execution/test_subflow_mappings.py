"""What a subflow is given, and what it gives back."""

from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from tests.execution.harness import Result, gives, run

CHILD = Flow("child").step("first", "echo").step("last", "echo", depends_on="first")


def outer(**settings: Any) -> Flow:
    return (
        Flow("f", max_attempts=1)
        .step("cart", **gives({"total": 5, "items": ["a", "b"]}))
        .subflow("s", CHILD, depends_on="cart", **settings)
        .step("after", "echo", depends_on="s")
    )


def result_of(flow: Flow, input: Any = None, child: Flow = CHILD) -> Result:
    return run(flow, input, others=[child])


def test_the_mapping_picks_from_dependencies_and_literals() -> None:
    result = result_of(
        outer(input={"amount": "$nodes.cart.total", "first": "$nodes.cart.items.0", "free": False})
    )
    assert result.outputs["s.first"] == {"amount": 5, "first": "a", "free": False}
    assert result.helpers == []


def test_the_mapping_picks_from_the_flow_input_with_one_helper() -> None:
    mapping = {"who": "$input.name", "text": "${$input.name} pays ${$nodes.cart.total}"}
    result = result_of(outer(input=mapping), {"name": "Ada"})
    assert result.outputs["s.first"] == {"who": "Ada", "text": "Ada pays 5"}
    assert result.helpers == ["s__input"]


def test_a_subflow_without_dependencies_maps_the_flow_input_without_a_helper() -> None:
    flow = Flow("f").subflow("s", CHILD, input={"who": "$input.name"})
    result = result_of(flow, {"name": "Ada"})
    assert result.outputs["s.first"] == {"who": "Ada"}
    assert result.helpers == []


def test_mappings_nest() -> None:
    middle = Flow("middle").subflow("inner", CHILD, input={"x": "$input.y"})
    flow = Flow("f").subflow("outer", middle, input={"y": "$input.z"})
    result = run(flow, {"z": 7}, others=[middle, CHILD])
    assert result.outputs["outer.inner.first"] == {"x": 7}


@pytest.mark.parametrize("given", [{}, {"name": None}, {"names": 1}])
def test_a_reference_that_leads_nowhere_fails_the_run_and_says_what_is_there(given: Any) -> None:
    flow = Flow("f", max_attempts=1).subflow("s", CHILD, input={"x": "$input.name.first"})
    result = result_of(flow, given)
    assert not result.success
    assert 'The input of subflow step "s" cannot be put together: $input.name.first' in result.error


def test_the_mapped_input_is_what_the_input_schema_of_the_flow_judges() -> None:
    schema = {"type": "object", "properties": {"amount": {"type": "integer"}}}
    strict = Flow("strict", input_schema=schema).step("first", "echo")
    flow = Flow("f").subflow("s", strict, input={"amount": "$input.total"})
    assert run(flow, {"total": 5}, others=[strict]).success
    result = run(flow, {"total": "5"}, others=[strict])
    assert "'5' is not of type 'integer'" in result.error


def test_without_a_mapping_the_output_is_that_of_the_final_steps() -> None:
    result = result_of(outer(input={"x": 1}))
    assert result.outputs["after"] == {"s": {"last": {"first": {"x": 1}}}}


@pytest.mark.parametrize(
    ("mapping", "output"),
    [
        ("$nodes.last", {"first": {"x": 1}}),
        ("$nodes.last.first.x", 1),
        ({"id": "$nodes.last.first.x", "kind": "paid"}, {"id": 1, "kind": "paid"}),
    ],
)
def test_an_output_mapping_picks_from_the_final_steps(mapping: Any, output: Any) -> None:
    result = result_of(outer(input={"x": 1}, output=mapping))
    assert result.outputs["after"] == {"s": output}
    assert result.helpers == ["s__output"]


def test_an_output_that_is_a_list_can_be_mapped_over() -> None:
    lists = Flow("lists").step("numbers", **gives({"found": [1, 2]}))
    flow = (
        Flow("f")
        .subflow("s", lists, output="$nodes.numbers.found")
        .map("m", "echo", depends_on="s")
    )
    assert run(flow, others=[lists]).outputs["m"] == [1, 2]


def test_an_output_mapping_that_leads_nowhere_fails_the_run() -> None:
    result = result_of(outer(input={"x": 1}, output="$nodes.last.ghost"))
    assert (
        'The output of subflow step "s" cannot be put together: $nodes.last.ghost' in result.error
    )
    assert "after" not in result.outputs


def test_an_output_that_breaks_the_output_schema_of_the_flow_fails_the_step() -> None:
    strict = Flow("strict", output_schema={"type": "object", "required": ["receipt"]}).step(
        "first", "echo"
    )
    result = run(Flow("f").subflow("s", strict), others=[strict])
    assert 'The output of flow "strict" in step "s" does not fit its output schema' in result.error


def test_mapped_outputs_nest() -> None:
    middle = Flow("middle").subflow("inner", CHILD, output="$nodes.last.first")
    flow = Flow("f").subflow("outer", middle, output={"got": "$nodes.inner.z"})
    result = run(flow.step("after", "echo", depends_on="outer"), {"z": 7}, others=[middle, CHILD])
    assert result.outputs["after"] == {"outer": {"got": 7}}


def test_a_skipped_subflow_maps_nothing() -> None:
    result = result_of(outer(output="$nodes.last.x", if_={"cart": {"total": 9}}))
    assert "s.first" in result.skips
    assert result.outputs["after"] == {}


@pytest.mark.parametrize("key", ["dagster-pgflow/skipped", "dagster-pgflow/batch"])
def test_an_input_that_looks_like_a_marker_is_taken_for_none(key: str) -> None:
    marker = {key: {"reason": "condition_unmet", "step": "s", "cascade": True}}
    helped = result_of(Flow("f").subflow("s", CHILD, run_if="true"), marker)
    assert (helped.success, helped.skips) == (True, {})
    flow = Flow("f").subflow("s", CHILD, input={"x": 1}, output={key: "$nodes.last"})
    mapped = result_of(flow)
    assert (mapped.success, mapped.skips) == (True, {})

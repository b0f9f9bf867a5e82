"""An input that breaks the flow's input schema stops the run where the flow begins."""

from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from tests.execution.harness import gives, run

SCHEMA = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
REASON = "The input of flow \"strict\" does not fit its input schema: $: 'n' is a required property"


def strict(**settings: Any) -> Flow:
    return Flow("strict", input_schema=SCHEMA, **settings)


def test_an_input_that_fits_lets_the_run_begin() -> None:
    assert run(strict().step("a", "echo"), {"n": 1}).outputs == {"a": {"n": 1}}


def test_a_breach_fails_every_first_step_and_is_not_tried_again() -> None:
    flow = strict().step("a", "echo").step("b", "echo").step("c", "echo", depends_on="a")
    result = run(flow, {})
    assert result.errors == {"a": REASON, "b": REASON}
    assert result.retries == {}
    assert result.outputs == {}


def test_a_breach_is_told_before_conditions_and_handlers() -> None:
    flow = strict().step("a", "nobody", if_={"never": 1}, when_unmet="fail")
    assert run(flow, {"n": 1.5}).error == (
        'The input of flow "strict" does not fit its input schema: $.n: 1.5 is not of type'
        " 'integer'"
    )


def test_a_flow_that_begins_with_a_map_checks_its_input() -> None:
    flow = Flow("strict", input_schema={"type": "array", "minItems": 1}).map("m", "echo")
    assert "does not fit its input schema" in run(flow, []).error
    assert run(flow, [1]).outputs == {"m": [1]}


def test_a_flow_that_begins_with_a_subflow_checks_its_input() -> None:
    child = Flow("child").step("x", "echo").map("m", "echo", depends_on="x")
    result = run(strict().subflow("s", child), {}, others=[child])
    assert result.errors == {"s.x": REASON}


def test_a_flow_that_begins_with_a_skipped_subflow_checks_its_input() -> None:
    child = Flow("child").step("x", "echo")
    flow = strict().subflow("s", child, if_={"never": 1})
    assert run(flow, {}, others=[child]).errors == {"s.x": REASON}
    assert run(flow, {"n": 1}, others=[child]).skips == {"s.x": "condition_unmet"}


@pytest.mark.parametrize("deps", [[], ["a"], ["a", "b"], ["m"], ["m", "a"]])
def test_a_child_checks_its_own_input_however_it_arrives(deps: list[str]) -> None:
    # No definition tells how many keys there will be.
    strict = Flow("strict", input_schema={"type": "object", "minProperties": 5})
    child = strict.step("x", "echo").step("y", "echo", depends_on="x")
    flow = (
        Flow("f")
        .step("a", **gives(1))
        .step("b", **gives(2))
        .map("m", "echo")
        .subflow("s", child, depends_on=deps)
    )
    result = run(flow, [5], others=[child])
    assert list(result.errors) == ["s.x"]
    assert 'input of flow "strict" in step "s" does not fit its input schema' in result.error


def test_a_child_is_content_with_an_input_that_fits() -> None:
    child = strict().step("x", "echo")
    flow = Flow("f").step("n", **gives(1)).subflow("s", child, depends_on="n")
    assert run(flow, others=[child]).outputs["s.x"] == {"n": 1}


def test_a_skipped_child_does_not_check_its_input() -> None:
    child = strict().step("x", "echo")
    flow = Flow("f").subflow("s", child, if_={"never": 1})
    assert run(flow, {}, others=[child]).skips == {"s.x": "condition_unmet"}

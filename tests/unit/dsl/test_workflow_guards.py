"""Nodes of workflow documents have guards, as steps have them."""

from typing import Any

import jsonschema
import pytest

from dagster_pgflow import Flow, read_workflow, write_workflow
from dagster_pgflow.dsl.workflow.schema import workflow_schema
from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.guards import Bulkhead, Guard
from dagster_pgflow.model.steps import GuardedStep, Step


def guards_of(step: Step) -> dict[str, Guard]:
    assert isinstance(step, GuardedStep)
    return step.guards


def document(**node: Any) -> dict[str, Any]:
    return {"nodes": [{"id": "a", "type": "function", **node}]}


def test_guards_come_in_and_go_out_as_they_are() -> None:
    flow = (
        Flow("f")
        .step("a", circuit_breaker={"key": "bank", "window": 5}, bulkhead=True)
        .step("b", rate_limiter={"calls": 2}, depends_on="a")
    )
    written = write_workflow(flow)
    assert written["nodes"][0]["circuit_breaker"] == {"key": "bank", "window": 5}
    assert written["nodes"][0]["bulkhead"] == {}
    back = read_workflow(written)
    assert [guards_of(step) for step in back.steps] == [guards_of(step) for step in flow.steps]
    jsonschema.validate(written, workflow_schema())


def test_true_stands_for_the_defaults() -> None:
    given = document(bulkhead=True)
    jsonschema.validate(given, workflow_schema())
    [step] = read_workflow(given, slug="f").steps
    assert guards_of(step) == {"bulkhead": Bulkhead()}


@pytest.mark.parametrize(
    ("node", "code", "path"),
    [
        ({"bulkhead": {"max_concurrent": 0}}, "option-out-of-range", "bulkhead.max_concurrent"),
        ({"bulkhead": {"max": 3}}, "unknown-field", "bulkhead.max"),
        ({"rate_limiter": False}, "wrong-value", "rate_limiter"),
        ({"type": "join", "circuit_breaker": {}}, "unknown-field", "circuit_breaker"),
    ],
    ids=["range", "field", "false", "join"],
)
def test_what_cannot_be_is_said_at_its_place(node: dict[str, Any], code: str, path: str) -> None:
    given = document(**node)
    with pytest.raises(InvalidFlow) as refused:
        read_workflow(given, slug="f")
    found = {(problem.code, problem.path) for problem in refused.value.problems}
    assert (code, f"nodes[0].{path}") in found

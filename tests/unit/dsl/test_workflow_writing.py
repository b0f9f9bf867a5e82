"""Flows as workflow documents: what they say, in which order, and what they cannot say."""

from typing import Any

import pytest

from dagster_pgflow import Flow, read_workflow, write_workflow
from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.graph import by_slug
from dagster_pgflow.model.options import retry_policy_of
from dagster_pgflow.model.steps import BranchStep
from tests.workflow_documents import NAMES, document

BRANCH = (
    Flow("f", base_delay=1)
    .branch("a", rules=[("output.x", ["b", "c"]), ("output.y", "c")], default_path="b")
    .step("b", depends_on="a")
    .step("c", depends_on=["a", "b"])
)


def refusals(flow: Flow) -> list[str]:
    with pytest.raises(InvalidFlow) as refused:
        write_workflow(flow)
    assert {problem.code for problem in refused.value.problems} == {"not-in-documents"}
    return [problem.path for problem in refused.value.problems]


@pytest.mark.parametrize("name", NAMES)
def test_a_document_comes_back_as_the_same_flow(name: str) -> None:
    flow = read_workflow(document(name), slug=name)
    assert read_workflow(write_workflow(flow)) == flow


def test_what_is_said_by_default_is_left_out() -> None:
    assert write_workflow(Flow("f", base_delay=1).step("a").step("b", depends_on="a")) == {
        "metadata": {"name": "f"},
        "nodes": [{"id": "a", "type": "function"}, {"id": "b", "type": "function"}],
        "edges": [{"from": "a", "to": "b"}],
    }


def test_the_rules_of_a_branch_are_the_conditions_of_its_edges() -> None:
    assert write_workflow(BRANCH)["edges"] == [
        {"from": "a", "to": "b", "condition": "output.x"},
        {"from": "a", "to": "c", "condition": "output.x"},
        {"from": "a", "to": "c", "condition": "output.y"},
        {"from": "a", "to": "b", "condition": "default"},
        {"from": "b", "to": "c"},
    ]
    assert read_workflow(write_workflow(BRANCH)) == BRANCH


def test_a_branch_with_a_dependent_of_every_way_says_its_rules_itself() -> None:
    flow = (
        Flow("f", base_delay=1)
        .branch("a", rules=[("output.x", "b")])
        .step("b", depends_on="a")
        .step("audit", depends_on="a")
    )
    written = write_workflow(flow)
    rules = [{"condition": "output.x", "next_nodes": ["b"]}]
    assert written["nodes"][0]["branch"] == {"rules": rules, "default": []}
    assert [edge.get("condition") for edge in written["edges"]] == [None, None]
    assert read_workflow(written) == flow


def test_orders_that_no_row_of_edges_can_have_are_kept_too() -> None:
    """Each branch wants one order of its edges, and the steps behind want the other."""
    flow = (
        Flow("f", base_delay=1)
        .branch("s", rules=[("output.x", "t"), ("output.y", "u")])
        .branch("r", rules=[("output.x", "u"), ("output.y", "t")])
        .step("t", depends_on=["r", "s"])
        .step("u", depends_on=["s", "r"])
    )
    assert read_workflow(write_workflow(flow)) == flow


@pytest.mark.parametrize(
    ("handler", "params"),
    [
        (None, {"handler": "x", "function": "y"}),
        ("a.b", {"params": {"x": 1}}),
        ("a.b", {"params": [1], "function_name": None}),
        ("agent", {}),
        ("pgflow.http", {"url": "https://e.org", "headers": {}}),
        ("pgflow.transform", {"expression": "flow_input"}),
        (None, {"rules": 1, "condition": 2, "default": 3, "wait": 4, "loop_back_to": 5}),
    ],
)
def test_handlers_and_params_of_any_name_come_back(
    handler: str | None, params: dict[str, Any]
) -> None:
    work: dict[str, Any] = {"handler": handler, "params": params}
    flow = (
        Flow("f", base_delay=1)
        .step("a", **work)
        .branch("b", rules=[("output.x", "c")], depends_on="a", **work)
        .loop("c", back_to="c", condition="output.x", max_iterations=2, depends_on="b", **work)
        .branch("d", rules=[("true", "e")], depends_on="c", **work)
        .step("e", depends_on="d")
    )
    assert read_workflow(write_workflow(flow)) == flow


def test_a_branch_that_takes_every_way_is_a_parallel_node() -> None:
    flow = read_workflow(document("parallel"))
    assert isinstance(by_slug(flow)["both"], BranchStep)
    assert write_workflow(flow)["nodes"][1] == {"id": "both", "type": "parallel"}


def test_options_of_the_whole_flow_stand_in_its_metadata() -> None:
    flow = Flow("f", max_attempts=7, timeout=9).step("a").step("b", base_delay=4, timeout=60)
    written = write_workflow(flow)
    assert written["metadata"] == {
        "name": "f",
        "timeout_ms": 9000,
        "retry": {"max_attempts": 7, "backoff_ms": 10_000},
    }
    assert written["nodes"] == [
        {"id": "a", "type": "function"},
        {"id": "b", "type": "function", "timeout_ms": 60_000, "retry": {"backoff_ms": 8000}},
    ]
    again = read_workflow(written)
    for before, after in zip(flow.steps, again.steps, strict=True):
        assert retry_policy_of(flow.options, before.options) == retry_policy_of(
            again.options, after.options
        )


def test_all_that_a_flow_says_is_written_and_comes_back() -> None:
    flow = (
        Flow(
            "f",
            base_delay=1,
            input_schema={"type": "object"},
            output_schema={"type": "array"},
            merge_output=True,
            max_delay=60,
            max_concurrent_runs=3,
            concurrency_key="input.x",
            max_concurrent_runs_per_key=1,
            tags={"a=b": "c", "d": ""},
        )
        .step("a", if_={"x": 1}, run_unless="input.x", when_unmet="fail", when_exhausted="skip")
        .map("m", "a.b", depends_on="a", params={"batch_size": 1}, max_failures=2, pool="mail")
        .subflow("s", "other", depends_on="m", over="m", input={"x": "$item.y"}, mode="run")
        .step("b", start_delay=5, jitter="full", max_attempts=0, depends_on="s", on_failure="c")
        .step("c", depends_on="b")
        .schedule("nightly", "0 2 * * *", timezone="Europe/Berlin", input={"x": 1})
    )
    written = write_workflow(flow)
    assert written["metadata"] == {
        "name": "f",
        "tags": {"a=b": "c", "d": ""},
        "input_schema": {"type": "object"},
        "output_schema": {"type": "array"},
        "merge_output": True,
        "schedules": [
            {
                "slug": "nightly",
                "cron": "0 2 * * *",
                "timezone": "Europe/Berlin",
                "input": {"x": 1},
            }
        ],
        "retry": {"max_delay_ms": 60_000},
        "max_concurrent_runs": 3,
        "concurrency_key": "input.x",
        "max_concurrent_runs_per_key": 1,
    }
    assert written["nodes"] == [
        {
            "id": "a",
            "type": "function",
            "if": {"x": 1},
            "run_unless": "input.x",
            "when_unmet": "fail",
            "when_exhausted": "skip",
        },
        {
            "id": "m",
            "type": "map",
            "config": {"handler": "a.b", "max_failures": 2, "params": {"batch_size": 1}},
            "pool": "mail",
        },
        {
            "id": "s",
            "type": "subflow",
            "config": {"flow": "other", "input": {"x": "$item.y"}, "over": "m", "mode": "run"},
        },
        {
            "id": "b",
            "type": "function",
            "on_failure": "c",
            "start_delay_ms": 5000,
            "retry": {"max_attempts": 0, "jitter": "full"},
        },
        {"id": "c", "type": "function"},
    ]
    assert read_workflow(written) == flow


def test_labels_stand_at_edges_and_what_edges_cannot_say_at_the_node() -> None:
    rules = [{"when": "output.x", "then": ["b"], "label": "yes"}]
    flow = Flow("f", base_delay=1).branch("a", rules=rules, on_failure="c")
    flow = flow.step("b", depends_on="a").step("c", depends_on="a")
    written = write_workflow(flow)
    assert written["edges"] == [
        {"from": "a", "to": "b", "condition": "output.x", "label": "yes"},
        {"from": "a", "to": "c"},
    ]
    assert read_workflow(written) == flow
    held = [{**rules[0], "output_schema": {"type": "object"}}]
    flow = Flow("f", base_delay=1).branch("a", rules=held).step("b", depends_on="a")
    written = write_workflow(flow)
    assert written["nodes"][0]["branch"]["rules"][0]["output_schema"] == {"type": "object"}
    assert read_workflow(written) == flow


def test_what_documents_cannot_say_is_refused() -> None:
    assert refusals(Flow("f")) == ["steps"]
    with pytest.raises(InvalidFlow, match="documents cannot express a flow without steps"):
        write_workflow(Flow("f"))

"""Nodes that wait: for a person and what is decided then, for a signal, for a time."""

from typing import Any

import pytest

from dagster_pgflow import Flow, read_workflow, write_workflow
from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.graph import by_slug
from dagster_pgflow.model.steps import ApprovalStep, BranchStep, Step
from tests.workflow_documents import document

ASK: dict[str, Any] = {
    "id": "ask",
    "type": "hitl",
    "timeout_ms": 1500,
    "config": {"message": "Pay ${$input.sum}?", "approvers": ["boss", "cfo"]},
}
PAY, REFUSE = {"id": "pay", "type": "function"}, {"id": "refuse", "type": "function"}


def steps(*nodes: dict[str, Any], edges: list[dict[str, Any]]) -> dict[str, Step]:
    read = read_workflow({"nodes": nodes, "edges": edges}, slug="f")
    assert read_workflow(write_workflow(read)) == read
    return by_slug(read)


def test_a_person_is_asked_and_a_branch_behind_decides() -> None:
    made = steps(
        ASK,
        PAY,
        REFUSE,
        edges=[
            {"from": "ask", "to": "pay", "condition": "approved"},
            {"from": "ask", "to": "refuse", "condition": "not approved"},
        ],
    )
    approved = "has(output.answer) && output.answer == true"
    assert list(made) == ["ask", "ask_decides", "pay", "refuse"]
    assert made["ask"] == ApprovalStep(
        slug="ask",
        prompt="Pay ${$input.sum}?",
        answerers=("boss", "cfo"),
        deadline=2,
        answer_schema={"type": "boolean"},
    )
    decides = made["ask_decides"]
    assert isinstance(decides, BranchStep)
    assert [(rule.when, rule.then) for rule in decides.rules] == [
        (approved, ("pay",)),
        (f"!({approved})", ("refuse",)),
    ]
    assert decides.depends_on == ("ask",)
    assert made["pay"].depends_on == ("ask_decides",)


def test_other_conditions_are_those_of_any_branch() -> None:
    made = steps(
        {"id": "ask", "type": "approval", "config": {"prompt": "How many?"}},
        PAY,
        REFUSE,
        edges=[
            {"from": "ask", "to": "pay", "condition": "$.answer > 3", "label": "many"},
            {"from": "ask", "to": "refuse"},
        ],
    )
    decides = made["ask_decides"]
    assert isinstance(decides, BranchStep)
    assert [(rule.when, rule.label) for rule in decides.rules] == [("$.answer > 3", "many")]
    assert decides.default_path == ("refuse",)
    assert made["ask"] == ApprovalStep(slug="ask", prompt="How many?")


def test_without_conditions_no_branch_is_there_and_a_deadline_has_its_own_way() -> None:
    node = {
        "id": "ask",
        "type": "approval",
        "config": {"prompt": "Well?", "deadline": 60, "reminders": [30]},
        "on_timeout": "refuse",
    }
    made = steps(node, PAY, REFUSE, edges=[{"from": "ask", "to": "pay"}])
    assert list(made) == ["ask", "pay", "refuse"]
    assert made["refuse"].depends_on == ("ask",)


def test_signals_and_times_are_waited_for() -> None:
    flow = (
        Flow("f")
        .wait("paid", signal="paid", key="input.order", deadline=5, on_deadline="skip")
        .sleep("night", seconds=60, depends_on="paid")
        .sleep("then", until="input.at", depends_on="night")
    )
    written = write_workflow(flow)
    assert [node["type"] for node in written["nodes"]] == ["wait", "sleep", "sleep"]
    assert by_slug(read_workflow(written)) == by_slug(flow)


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({}, "nodes[0].config.prompt"),
        ({"prompt": "Well?", "timeout": 60}, "nodes[0].config.timeout"),
        ({"prompt": "Well?", "handler": "h"}, "nodes[0].config.handler"),
        ({"prompt": "Well?", "deadline": 0}, "nodes[0].config.deadline"),
        ({"prompt": ""}, "nodes[0].config.prompt"),
    ],
)
def test_what_is_wrong_with_a_question_is_told_at_its_place(
    config: dict[str, Any], path: str
) -> None:
    with pytest.raises(InvalidFlow) as refused:
        read_workflow({"nodes": [{"id": "ask", "type": "hitl", "config": config}]}, slug="f")
    assert [problem.path for problem in refused.value.problems] == [path]


def test_a_node_that_waits_is_no_loop() -> None:
    loop = {"loop_back_to": "ask", "max_iterations": 3}
    with pytest.raises(InvalidFlow, match="decides nothing"):
        read_workflow({"nodes": [{**ASK, "loop": loop}]}, slug="f")


def test_small_expenses_are_approved_and_large_ones_asked_for() -> None:
    made = by_slug(read_workflow(document("expense"), slug="expense"))
    assert isinstance(made["ask"], ApprovalStep)
    assert made["ask"].depends_on == ("check",)
    assert made["pay"].depends_on == ("check", "ask_decides")

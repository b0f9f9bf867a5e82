"""What the rules say of a flow is told in the words of the workflow document that it came from."""

from typing import Any

import pytest

from tests.unit.dsl.test_workflow_problems import complaints, problems_of
from tests.workflow_documents import document

LOOP = "nodes[3].config."
RULE = "nodes[0].branch.rules[0]."


@pytest.mark.parametrize(
    ("name", "place", "value", "code"),
    [
        ("branch", "edges[1].condition", "output.score >", "invalid-expression"),
        ("branch", "edges[2].condition", "scores > 1", "invalid-expression"),
        ("legacy", f"{RULE}condition", {"expression": "x"}, "invalid-expression"),
        ("legacy", f"{RULE}next_nodes", [], "rule-without-steps"),
        ("loop", f"{LOOP}condition", "ouput.score < 1", "invalid-expression"),
        ("loop", f"{LOOP}loop_back_to", "print", "loop-start-not-before"),
        ("loop", f"{LOOP}max_iterations", 10**9, "iterations-out-of-range"),
        ("loop", f"{LOOP}break_path", ["write"], "cycle"),
        ("loop", f"{LOOP}break_path", ["again"], "leads-to-itself"),
        ("loop", "edges[3].condition", "output.x", "condition-behind-loop"),
        ("fan_in", "nodes[3].config.wait", 4, "wait-out-of-range"),
        ("fan_in", "nodes[3].config.members", ["lost"], "members-without-failure-step"),
        ("branch", "edges[0].label", "x", "label-without-condition"),
    ],
)
def test_what_the_rules_say_is_told_with_the_places_of_the_document(
    name: str, place: str, value: Any, code: str
) -> None:
    given = document(name)
    if name == "loop" and value == "print":
        given["edges"].pop()  # Which would be another way back.
    _put(given, place, value)
    assert (code, place) in complaints(given)


def _put(given: Any, place: str, value: Any) -> None:
    *around, last = place.replace("[", ".").replace("]", "").split(".")
    for key in around:
        given = given[int(key)] if key.isdigit() else given[key]
    given[last] = value


def test_what_leaves_a_loop_before_its_end_is_told_at_the_edge() -> None:
    given = document("loop")
    given["edges"].append({"from": "write", "to": "print"})
    assert complaints(given) == [("loop-left-before-its-end", "edges[4]")]


def test_a_reference_to_a_node_without_an_edge_is_told_in_words_of_documents() -> None:
    given = document("sequence")
    given["nodes"][2]["config"]["params"]["weight"] = "$nodes.weigh.kilos"
    [problem] = problems_of(given)
    assert (problem.code, problem.path) == (
        "reference-to-no-dependency",
        "nodes[2].config.params.weight",
    )
    assert problem.message.endswith('add an edge from "weigh" to "label".')
    given["edges"][1]["from"] = "lost"
    assert complaints(given) == [("unknown-node", "edges[1].from")]


def test_nothing_is_told_that_only_follows_from_something_else() -> None:
    given = document("loop")
    del given["nodes"][3]["config"]["loop_back_to"]
    assert complaints(given) == [("missing-field", "nodes[3].config.loop_back_to")]
    given = document("fan_in")
    given["edges"][1]["from"] = given["edges"][2]["from"] = "nowhere"
    assert {code for code, _ in complaints(given)} == {"unknown-node"}
    given = document("branch")
    given["nodes"][0]["type"] = "function "
    assert complaints(given) == [("unknown-type", "nodes[0].type")]


def test_problems_stand_in_the_order_of_the_document() -> None:
    given = document("branch")
    given["edges"][1]["condition"] = "output.score >"
    given["edges"].append({"from": "answer", "to": "lost"})
    given["nodes"][6]["retry"] = {"max_attempts": -1}
    given["nodes"][1]["retri"] = {}
    given["metadata"]["tags"] = 3
    assert [path for _, path in complaints(given)] == [
        "metadata.tags",
        "nodes[1].retri",
        "nodes[6].retry.max_attempts",
        "edges[1].condition",
        "edges[8].to",
    ]

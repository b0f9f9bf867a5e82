"""What is wrong with workflow documents: all of it at once, each with its place."""

from typing import Any

import pytest

from dagster_pgflow import read_workflow
from dagster_pgflow.errors import InvalidFlow, Problem
from tests.workflow_documents import document


def problems_of(given: Any, slug: str | None = "f") -> tuple[Problem, ...]:
    with pytest.raises(InvalidFlow) as refused:
        read_workflow(given, slug=slug)
    return refused.value.problems


def complaints(given: Any) -> list[tuple[str, str]]:
    return [(problem.code, problem.path) for problem in problems_of(given)]


def of_node(**fields: Any) -> list[tuple[str, str]]:
    """Returns what is wrong with a document of one good node and this one."""
    return complaints({"nodes": [{"id": "good", "type": "function"}, {"id": "a", **fields}]})


def of_edges(*edges: Any, nodes: str = "abc") -> list[tuple[str, str]]:
    written = [
        {"from": edge[0], "to": edge[2]} if isinstance(edge, str) else edge for edge in edges
    ]
    given = [{"id": id, "type": "function"} for id in nodes]
    return complaints({"nodes": given, "edges": written})


@pytest.mark.parametrize(
    ("fields", "code", "path"),
    [
        ({}, "unknown-type", "nodes[1].type"),
        ({"type": "functoin"}, "unknown-type", "nodes[1].type"),
        ({"type": 7}, "unknown-type", "nodes[1].type"),
        ({"type": "function", "id": "7up"}, "invalid-id", "nodes[1].id"),
        ({"type": "function", "id": "run"}, "invalid-id", "nodes[1].id"),
        ({"type": "function", "id": 7}, "wrong-value", "nodes[1].id"),
        ({"type": "function", "id": "good"}, "duplicate-id", "nodes[1].id"),
        ({"type": "function", "config": []}, "wrong-value", "nodes[1].config"),
        ({"type": "function", "config": {"handler": 3}}, "wrong-value", "nodes[1].config.handler"),
        (
            {"type": "function", "config": {"handler": "a", "function": "b"}},
            "handler-twice",
            "nodes[1].config.function",
        ),
        (
            {"type": "function", "config": {"x": 1, "params": {"x": 2}}},
            "param-twice",
            "nodes[1].config.x",
        ),
        ({"type": "function", "timeout_ms": -1}, "wrong-value", "nodes[1].timeout_ms"),
        ({"type": "function", "timeout_ms": "5"}, "wrong-value", "nodes[1].timeout_ms"),
        ({"type": "function", "timeout_ms": 10**15}, "option-out-of-range", "nodes[1].timeout_ms"),
        ({"type": "function", "retry": 3}, "wrong-value", "nodes[1].retry"),
        (
            {"type": "function", "retry": {"max_attempts": 0}},
            "wrong-value",
            "nodes[1].retry.max_attempts",
        ),
        (
            {"type": "function", "retry": {"max_attempts": 11}},
            "wrong-value",
            "nodes[1].retry.max_attempts",
        ),
        (
            {"type": "function", "retry": {"backoff_multiplier": 3}},
            "unsupported-backoff",
            "nodes[1].retry.backoff_multiplier",
        ),
        (
            {"type": "function", "retry": {"backoff_ms": 10**15}},
            "option-out-of-range",
            "nodes[1].retry.backoff_ms",
        ),
        ({"type": "function", "wait_for_all": False}, "wait-for-some", "nodes[1].wait_for_all"),
        ({"type": "function", "timeout": 5}, "unknown-field", "nodes[1].timeout"),
        ({"type": "function", "loop": 5}, "wrong-value", "nodes[1].loop"),
        ({"type": "function", "branch": []}, "wrong-value", "nodes[1].branch"),
        ({"type": "parallel"}, "parallel-without-edges", "nodes[1]"),
        ({"type": "conditional"}, "branch-without-rules", "nodes[1].config"),
        ({"type": "function", "branch": {"rules": []}}, "branch-without-rules", "nodes[1].branch"),
        (
            {"type": "conditional", "config": {"rules": {"x": 1}}},
            "wrong-value",
            "nodes[1].config.rules",
        ),
        (
            {"type": "conditional", "config": {"rules": [{"next_nodes": ["good"]}]}},
            "missing-field",
            "nodes[1].config.rules[0].condition",
        ),
        (
            {"type": "conditional", "config": {"rules": [{"condition": "output.x"}]}},
            "missing-field",
            "nodes[1].config.rules[0].next_nodes",
        ),
        (
            {
                "type": "function",
                "branch": {"rules": [{"condition": {"type": "jq"}, "next_nodes": ["good"]}]},
            },
            "wrong-value",
            "nodes[1].branch.rules[0].condition.type",
        ),
        (
            {
                "type": "conditional",
                "config": {"rules": [{"condition": "output.x", "next_nodes": ["good", "lost"]}]},
            },
            "unknown-node",
            "nodes[1].config.rules[0].next_nodes[1]",
        ),
        ({"type": "loop"}, "missing-field", "nodes[1].config.max_iterations"),
        (
            {"type": "loop", "config": {"max_iterations": 2, "loop_back_to": "x"}},
            "unknown-node",
            "nodes[1].config.loop_back_to",
        ),
        (
            {"type": "loop", "config": {"max_iterations": 2, "loop_back_to": ""}},
            "unknown-node",
            "nodes[1].config.loop_back_to",
        ),
        (
            {"type": "loop", "config": {"max_iterations": 0, "loop_back_to": "a"}},
            "wrong-value",
            "nodes[1].config.max_iterations",
        ),
        (
            {"type": "loop", "config": {"max_iterations": True, "loop_back_to": "a"}},
            "wrong-value",
            "nodes[1].config.max_iterations",
        ),
        (
            {
                "type": "loop",
                "config": {"max_iterations": 2, "loop_back_to": "a", "break_path": ["x"]},
            },
            "unknown-node",
            "nodes[1].config.break_path[0]",
        ),
        (
            {
                "type": "loop",
                "config": {"max_iterations": 2, "loop_back_to": "a", "timeout_path": "x"},
            },
            "wrong-value",
            "nodes[1].config.timeout_path",
        ),
        (
            {
                "type": "loop",
                "config": {"max_iterations": 2, "loop_back_to": "a", "enabled": False},
            },
            "disabled-loop",
            "nodes[1].config.enabled",
        ),
        (
            {"type": "function", "loop": {"max_iterations": 2, "loop_back_to": "a"}, "branch": {}},
            "loop-and-branch",
            "nodes[1].branch",
        ),
        ({"type": "join", "config": {"wait": "some"}}, "wrong-value", "nodes[1].config.wait"),
        ({"type": "join", "config": {"wait": 0}}, "wrong-value", "nodes[1].config.wait"),
        ({"type": "join", "config": {"waits": 1}}, "unknown-field", "nodes[1].config.waits"),
        (
            {"type": "join", "config": {"wait": "all", "wait_for_all": True}},
            "wait-twice",
            "nodes[1].config.wait_for_all",
        ),
    ],
)
def test_a_node_that_is_wrong_says_where(fields: dict[str, Any], code: str, path: str) -> None:
    assert (code, path) in of_node(**fields)


def test_the_known_types_are_listed_and_what_may_be_meant_is_told() -> None:
    [unknown] = problems_of({"nodes": [{"id": "a", "type": "functoin"}]})
    assert unknown.message.startswith("'functoin' is no type of node; use one of: function, http,")
    [person] = problems_of({"nodes": [{"id": "a", "type": "hitl"}]})
    assert person.message.startswith("Nothing here waits for a person; use one of: function,")
    [id] = problems_of({"nodes": [{"id": "fetch-data", "type": "function"}]})
    assert id.message.endswith('; call it "fetch_data", here and in the edges.')
    [field] = problems_of({"nodes": [{"id": "a", "type": "function", "retry": {"max": 1}}]})
    assert '"max_attempts" may be meant' in field.message or "remove it" in field.message


@pytest.mark.parametrize(
    ("edges", "found"),
    [
        (["a>x"], [("unknown-node", "edges[0].to")]),
        (["x>a"], [("unknown-node", "edges[0].from")]),
        (["x>y"], [("unknown-node", "edges[0].from"), ("unknown-node", "edges[0].to")]),
        (["a>b", "b>b"], [("leads-to-itself", "edges[1]")]),
        (["a>b", "b>c", "c>b"], [("no-terminal", "edges"), ("cycle", "edges[2]")]),
        (
            ["a>b", "b>c", "c>a"],
            [("no-terminal", "edges"), ("no-entry", "edges"), ("cycle", "edges[2]")],
        ),
        (
            ["b>c", "c>b"],
            [
                ("unreachable-node", "nodes[1]"),
                ("unreachable-node", "nodes[2]"),
                ("cycle", "edges[1]"),
            ],
        ),
        ([7], [("wrong-value", "edges[0]")]),
        ([{"from": "a"}], [("missing-field", "edges[0].to")]),
        ([{"from": "a", "to": 7}], [("wrong-value", "edges[0].to")]),
        ([{"source": "a", "target": "b"}], [
            ("missing-field", "edges[0].from"),
            ("missing-field", "edges[0].to"),
            ("unknown-field", "edges[0].source"),
            ("unknown-field", "edges[0].target"),
        ]),
        ([{"from": "a", "to": "b", "condition": 7}], [("wrong-value", "edges[0].condition")]),
    ],
)  # fmt: skip
def test_an_edge_that_is_wrong_says_where(edges: list[Any], found: list[tuple[str, str]]) -> None:
    assert of_edges(*edges) == found


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, [("no-nodes", "nodes")]),
        ({"nodes": []}, [("no-nodes", "nodes")]),
        ({"nodes": {}}, [("wrong-value", "nodes")]),
        ({"nodes": [7]}, [("wrong-value", "nodes[0]")]),
        ({"nodes": [None], "edges": 5}, [("wrong-value", "edges"), ("wrong-value", "nodes[0]")]),
        ([], [("not-an-object", "$")]),
        ("[1", [("unreadable-text", "line 1, column 3")]),
        ("{nodes: [", [("unreadable-text", "line 1, column 2")]),
        ("nodes: []\n---\nnodes: []", [("not-an-object", "$")]),
        ("", [("not-an-object", "$")]),
    ],
)
def test_what_is_no_workflow_is_told_too(given: Any, found: list[tuple[str, str]]) -> None:
    assert complaints(given) == found


@pytest.mark.parametrize(
    ("outside", "code", "path"),
    [
        ({"metadata": {"name": "?!"}}, "no-name", "metadata.name"),
        ({"metadata": {"name": 5}}, "wrong-value", "metadata.name"),
        ({"metadata": {"tags": "a"}}, "wrong-value", "metadata.tags"),
        ({"metadata": {"tags": ["a=1", "a=2"]}}, "tag-twice", "metadata.tags[1]"),
        ({"metadata": {"tags": ["version=1"], "version": 2}}, "tag-twice", "metadata.version"),
        ({"metadata": 5}, "wrong-value", "metadata"),
        ({"nodez": []}, "unknown-field", "nodez"),
    ],
)
def test_what_stands_around_the_nodes_is_checked(
    outside: dict[str, Any], code: str, path: str
) -> None:
    given = {"nodes": [{"id": "a", "type": "function"}], **outside}
    assert (code, path) in complaints(given)


def test_a_workflow_without_a_name_needs_one() -> None:
    [problem] = problems_of({"nodes": [{"id": "a", "type": "function"}]}, slug=None)
    assert (problem.code, problem.path) == ("no-name", "metadata.name")


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
    given["nodes"][6]["retry"] = {"max_attempts": 11}
    given["nodes"][1]["retri"] = {}
    given["metadata"]["tags"] = 3
    assert [path for _, path in complaints(given)] == [
        "metadata.tags",
        "nodes[1].retri",
        "nodes[6].retry.max_attempts",
        "edges[1].condition",
        "edges[8].to",
    ]

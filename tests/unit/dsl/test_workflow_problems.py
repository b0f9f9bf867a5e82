"""What is wrong with workflow documents: all of it at once, each with its place."""

from typing import Any

import pytest

from dagster_pgflow import read_workflow
from dagster_pgflow.errors import InvalidFlow, Problem


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
            {"type": "function", "retry": {"max_attempts": -1}},
            "wrong-value",
            "nodes[1].retry.max_attempts",
        ),
        (
            {"type": "function", "retry": {"max_attempts": 2**31}},
            "option-out-of-range",
            "nodes[1].retry.max_attempts",
        ),
        ({"type": "function", "retry": {"jitter": 1}}, "wrong-value", "nodes[1].retry.jitter"),
        (
            {"type": "function", "retry": {"max_delay_ms": 10**15}},
            "option-out-of-range",
            "nodes[1].retry.max_delay_ms",
        ),
        (
            {"type": "function", "start_delay_ms": 10**15},
            "option-out-of-range",
            "nodes[1].start_delay_ms",
        ),
        ({"type": "function", "if": 1}, "wrong-value", "nodes[1].if"),
        ({"type": "function", "if_": {}}, "unknown-field", "nodes[1].if_"),
        ({"type": "function", "run_if": "input ="}, "invalid-expression", "nodes[1].run_if"),
        ({"type": "function", "when_unmet": "stop"}, "wrong-value", "nodes[1].when_unmet"),
        ({"type": "function", "on_failure": "lost"}, "unknown-node", "nodes[1].on_failure"),
        ({"type": "function", "on_timeout": "a"}, "leads-to-itself", "nodes[1].on_timeout"),
        ({"type": "function", "input_schema": 5}, "wrong-value", "nodes[1].input_schema"),
        ({"type": "function", "pool": ""}, "invalid-pool", "nodes[1].pool"),
        ({"type": "function", "before": "x"}, "wrong-value", "nodes[1].before"),
        ({"type": "map", "keep_input": True}, "unknown-field", "nodes[1].keep_input"),
        (
            {"type": "map", "config": {"batch_size": "1"}},
            "wrong-value",
            "nodes[1].config.batch_size",
        ),
        (
            {"type": "map", "config": {"batch_size": 0}},
            "batch-size-out-of-range",
            "nodes[1].config.batch_size",
        ),
        (
            {"type": "map", "branch": {"rules": [{"condition": "output", "next_nodes": ["good"]}]}},
            "decides-nothing",
            "nodes[1].branch.rules[0].condition",
        ),
        (
            {
                "type": "subflow",
                "config": {"flow": "x"},
                "loop": {"max_iterations": 1, "loop_back_to": "a"},
            },
            "decides-nothing",
            "nodes[1].loop",
        ),
        ({"type": "subflow"}, "missing-field", "nodes[1].config.flow"),
        (
            {"type": "subflow", "config": {"flow": "x", "handler": "y"}},
            "unknown-field",
            "nodes[1].config.handler",
        ),
        (
            {"type": "subflow", "config": {"flow": "x", "output": 5}},
            "wrong-value",
            "nodes[1].config.output",
        ),
        (
            {"type": "subflow", "config": {"flow": "x", "mode": 5}},
            "wrong-value",
            "nodes[1].config.mode",
        ),
        (
            {"type": "subflow", "config": {"flow": "x"}, "config_ref": "y"},
            "unknown-field",
            "nodes[1].config_ref",
        ),
        (
            {"type": "subflow", "config": {"flow": "x"}, "pool": "y"},
            "unknown-field",
            "nodes[1].pool",
        ),
        ({"type": "fail"}, "missing-param", "nodes[1].config.message"),
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
    assert unknown.message.startswith("'functoin' is not a node type; use one of: function, http,")
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
        ({"metadata": {"tags": {"a": 5}}}, "wrong-value", "metadata.tags"),
        ({"metadata": {"inputSchema": {}}}, "unknown-field", "metadata.inputSchema"),
        ({"metadata": {"schedule": []}}, "unknown-field", "metadata.schedule"),
        ({"schedules": []}, "unknown-field", "schedules"),
        (
            {"metadata": {"schedules": [{"slug": "a"}]}},
            "missing-field",
            "metadata.schedules[0].cron",
        ),
        (
            {"metadata": {"schedules": [{"slug": "a", "cron": "daily"}]}},
            "invalid-cron",
            "metadata.schedules[0].cron",
        ),
        (
            {"metadata": {"schedules": [{"slug": "a b", "cron": "0 2 * * *"}]}},
            "invalid-slug",
            "metadata.schedules[0]",
        ),
        ({"metadata": {"input_schema": 5}}, "wrong-value", "metadata.input_schema"),
        (
            {"metadata": {"input_schema": {"type": 5}}},
            "invalid-schema",
            "metadata.input_schema.type",
        ),
        (
            {"metadata": {"retry": {"max_attempts": 2**31}}},
            "option-out-of-range",
            "metadata.retry.max_attempts",
        ),
        (
            {"metadata": {"retry": {"backoff_multiplier": 3}}},
            "unsupported-backoff",
            "metadata.retry.backoff_multiplier",
        ),
        (
            {"metadata": {"max_concurrent_runs": 0}},
            "option-out-of-range",
            "metadata.max_concurrent_runs",
        ),
        (
            {"metadata": {"concurrency_key": "x ="}},
            "invalid-expression",
            "metadata.concurrency_key",
        ),
        ({"nodez": []}, "unknown-field", "nodez"),
    ],
)
def test_what_stands_around_the_nodes_is_checked(
    outside: dict[str, Any], code: str, path: str
) -> None:
    given = {"nodes": [{"id": "a", "type": "function"}], **outside}
    assert (code, path) in complaints(given)


def test_fields_of_others_in_the_metadata_are_left_alone() -> None:
    metadata = {"name": "f", "author": "me", "createdAt": "today", "name_of_team": 5}
    flow = read_workflow({"nodes": [{"id": "a", "type": "function"}], "metadata": metadata})
    assert flow.slug == "f"


def test_a_workflow_without_a_name_needs_one() -> None:
    [problem] = problems_of({"nodes": [{"id": "a", "type": "function"}]}, slug=None)
    assert (problem.code, problem.path) == ("no-name", "metadata.name")

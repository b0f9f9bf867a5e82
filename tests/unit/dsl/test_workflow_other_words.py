"""Nodes whose config is in the words of other systems: what each becomes, and what is refused."""

from typing import Any

import pytest

from dagster_pgflow import Flow, read_workflow, write_workflow
from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.steps import HandledStep


def flow_of(kind: str, config: dict[str, Any], deps: int = 1) -> Flow:
    before = [f"n{index}" for index in range(deps)]
    nodes = [{"id": id, "type": "function"} for id in before]
    edges = [{"from": id, "to": "a"} for id in before]
    return read_workflow(
        {"nodes": [*nodes, {"id": "a", "type": kind, "config": config}], "edges": edges}, slug="f"
    )


def complaints(kind: str, config: dict[str, Any], deps: int = 1) -> list[tuple[str, str]]:
    with pytest.raises(InvalidFlow) as refused:
        flow_of(kind, config, deps)
    place = f"nodes[{deps}].config"
    return [
        (found.code, found.path.removeprefix(place).removeprefix("."))
        for found in refused.value.problems
    ]


READ: list[tuple[str, dict[str, Any], int, dict[str, Any]]] = [
    ("transform", {"transformation": "Upper"}, 1, {"transformation": "uppercase"}),
    ("transform", {"transformation": "strip"}, 0, {"transformation": "trim"}),
    (
        "transform",
        {"expression": "data.map(x => x.value * 2)"},
        1,
        {"expression": "output.map(x, x.value * 2)"},
    ),
    (
        "transform",
        {"expression": {"n": "data.n0.filter((o) => o.kind === 'data').some(o => o.ok)"}},
        2,
        {"expression": {"n": "input.n0.filter(o, o.kind == 'data').exists(o, o.ok)"}},
    ),
    # What is CEL already keeps its own names.
    (
        "transform",
        {"expression": "input.map(data, data.x)"},
        0,
        {"expression": "input.map(data, data.x)"},
    ),
    (
        "filter",
        {"filter_expression": "value.score > 50"},
        1,
        {"condition": "item.score > 50"},
    ),
    (
        "filter",
        {"filter_expression": "row => row.value !== 'row'"},
        1,
        {"condition": "item.value != 'row'"},
    ),
    (
        "aggregate",
        {"operation": "avg", "field": "buyer.age", "group_by": "land"},
        1,
        {"measures": {"avg": {"op": "mean", "of": "buyer.age"}}, "group_by": "land"},
    ),
    ("aggregate", {"operation": "count"}, 0, {"measures": {"count": {"op": "count"}}}),
    (
        "aggregate",
        {"operation": "max", "field": 'a "b"-c'},
        0,
        {
            "measures": {
                "max": {"op": "max", "of": r'"a \"b\"-c" in item ? item["a \"b\"-c"] : null'}
            }
        },
    ),
]


@pytest.mark.parametrize(
    ("kind", "config", "deps", "params"), READ, ids=[str(index) for index in range(len(READ))]
)
def test_what_has_one_plain_meaning_is_read_and_written_in_our_words(
    kind: str, config: dict[str, Any], deps: int, params: dict[str, Any]
) -> None:
    flow = flow_of(kind, config, deps)
    step = flow.steps[-1]
    assert isinstance(step, HandledStep)
    assert (step.handler, step.params) == (f"pgflow.{kind}", params)
    written = write_workflow(flow)
    assert written["nodes"][-1]["config"] == params
    assert read_workflow(written) == flow


@pytest.mark.parametrize("kind", ["transform", "aggregate", "filter", "http"])
def test_a_node_that_names_a_function_has_it_whatever_its_type(kind: str) -> None:
    step = flow_of(kind, {"function_name": "parse", "strategy": "union"}).steps[-1]
    assert isinstance(step, HandledStep)
    assert (step.handler, step.params) == ("parse", {"strategy": "union"})


@pytest.mark.parametrize(
    ("kind", "config", "found"),
    [
        ("transform", {}, [("wrong-param", "")]),
        ("transform", {"transformation": "normalize"}, [("unclear-config", "transformation")]),
        ("transform", {"transformation": 7}, [("wrong-param", "transformation")]),
        (
            "transform",
            {
                "expression": {
                    "a": "data.length === `${1}`",
                    "b": "data.reduce((a, b) => a + b) / Math.PI",
                    "c": "data.map(data => { return data?.x ?? undefined })",
                    "d": "data.map((x, i) => ",
                }
            },
            [
                *[("unclear-config", "expression.a")] * 2,
                *[("unclear-config", "expression.b")] * 4,
                *[("unclear-config", "expression.c")] * 6,
                ("unclear-config", "expression.d"),
            ],
        ),
        (
            "filter",
            {"filter_expression": "score > 50"},
            [("invalid-expression", "filter_expression")],
        ),
        ("filter", {"filter_expression": ["a"]}, [("wrong-param", "filter_expression")]),
        (
            "filter",
            {"filter_expression": "true", "condition": "true"},
            [("param-twice", "filter_expression")],
        ),
        (
            "aggregate",
            {"operation": "median", "field": 3, "strategy": "union"},
            [
                ("unclear-config", "strategy"),
                ("wrong-value", "field"),
                ("unclear-config", "operation"),
            ],
        ),
        (
            "aggregate",
            {"operation": ["sum"], "field": ""},
            [("wrong-value", "field"), ("unclear-config", "operation")],
        ),
    ],
)
def test_what_has_no_plain_meaning_is_named_all_of_it(
    kind: str, config: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    assert complaints(kind, config) == found

"""Steps of built-in node types: their names and their params, before anything runs."""

from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.node_types.known import NODE_TYPES
from dagster_pgflow.runtime.node_types.built_in import FUNCTIONS
from dagster_pgflow.validation.node_types import node_types_are_known_and_configured
from dagster_pgflow.validation.references import references_lead_to_steps
from dagster_pgflow.validation.validate import validate
from tests.unit.validation.problems import places, problems_found

RULE = node_types_are_known_and_configured
HTTP = {"url": "https://example.org/a"}
COUNT = {"n": {"op": "count"}}


def flow(kind: str, params: dict[str, Any], *, a_map: bool = False, **settings: Any) -> Flow:
    around = Flow("f").step("a").step("b")
    add = around.map if a_map else around.step
    return add("s", handler=f"pgflow.{kind}", params=params, **{"depends_on": "a", **settings})


def test_what_is_checked_is_what_runs() -> None:
    assert NODE_TYPES.keys() == FUNCTIONS.keys()


@pytest.mark.parametrize(
    ("kind", "params", "settings"),
    [
        ("http", HTTP, {}),
        (
            "http",
            {
                "url": "$nodes.a.url",
                "timeout": "$input.t",
                "query": {"q": ["$input.q", 1]},
                "allow_hosts": ["*.example.org"],
            },
            {},
        ),
        ("http", {"url": "${secret:BASE}/x/${$input.a}?q=${$input.q}"}, {}),
        ("http", {"url": "https://e.org/${$input.a}${not.one}?q=${$input.q}"}, {}),
        ("http", {"url": "https://${secret:HOST}/x", "headers": {"A": "Bearer ${secret:T}"}}, {}),
        ("http", {**HTTP, "method": "post", "expected_status": [201, "4xx"], "timeout": 5}, {}),
        ("transform", {"expression": "$.x + input.a.x + deps.a.x"}, {}),
        (
            "transform",
            {"expression": {"a": "input", "b": "flow_input"}},
            {"depends_on": ["a", "b"]},
        ),
        ("transform", {"expression": "input.x + flow_input.y"}, {"a_map": True}),
        ("filter", {"condition": "item.x > $.least && index > 0", "on_error": "drop"}, {}),
        ("filter", {"condition": "true", "items": "$nodes.b"}, {"depends_on": ["a", "b"]}),
        ("aggregate", {"group_by": "a.b[0].c", "measures": COUNT}, {}),
        ("aggregate", {"group_by": {"a": "item.x + 1"}, "measures": {"m": {"op": "sum"}}}, {}),
    ],
)
def test_what_fits_is_sound(kind: str, params: dict[str, Any], settings: dict[str, Any]) -> None:
    assert validate(flow(kind, params, **settings)) == ()


@pytest.mark.parametrize("name", ["pgflow.htpp", "pgflow.http.x", "pgflow."])
def test_an_unknown_type_is_told_with_those_that_there_are(name: str) -> None:
    known = ", ".join(NODE_TYPES)
    assert problems_found(RULE, Flow("f").step("s", handler=name)) == [
        (
            "unknown-node-type",
            "steps.s.handler",
            f'There is no node type "{name}"; use one of: {known}.',
        )
    ]


@pytest.mark.parametrize(
    ("kind", "params", "problem"),
    [
        (
            "transform",
            {"expression": 5},
            (
                "wrong-param",
                "expression",
                "It must be an expression in CEL, or an object of expressions; got 5.",
            ),
        ),
        (
            "transform",
            {"expression": {"x": "$.a +"}},
            (
                "invalid-expression",
                "expression.x",
                "`$.a +` is not an expression: line 1, column 6: it ends too early.",
            ),
        ),
        (
            "transform",
            {"expression": "$input.x"},
            (
                "invalid-expression",
                "expression",
                (
                    "`$input.x` is not an expression: line 1, column 1: in CEL write flow_input,"
                    " without $."
                ),
            ),
        ),
        (
            "filter",
            {"condition": "item.x > 1 && itme"},
            (
                "invalid-expression",
                "condition",
                (
                    "`item.x > 1 && itme` is not a condition: line 1, column 15: there is no"
                    ' "itme"; use one of: input, flow_input, deps, output, {facts}, item, index.'
                ),
            ),
        ),
        (
            "filter",
            {"condition": "index + 1"},
            (
                "invalid-expression",
                "condition",
                (
                    "`index + 1` is not a condition: line 1, column 1: it gives a number, not true"
                    " or false."
                ),
            ),
        ),
        (
            "filter",
            {"condition": "true", "on_error": "$input.x"},
            (
                "wrong-param",
                "on_error",
                "Input should be 'fail', 'drop' or 'keep'; got '$input.x'.",
            ),
        ),
        (
            "aggregate",
            {"measures": {}},
            (
                "wrong-param",
                "measures",
                "Dictionary should have at least 1 item after validation, not 0; got {}.",
            ),
        ),
        (
            "aggregate",
            {"measures": {"m": {"op": "median"}}},
            (
                "wrong-param",
                "measures.m.op",
                "Input should be 'count', 'sum', 'min', 'max', 'mean' or 'collect'; got 'median'.",
            ),
        ),
        (
            "aggregate",
            {"measures": {"m": {"op": "sum", "of": "item.x +"}}},
            (
                "invalid-expression",
                "measures.m.of",
                "`item.x +` is not an expression: line 1, column 9: it ends too early.",
            ),
        ),
        (
            "aggregate",
            {"measures": {"m": {"op": "sum", "off": "x"}}},
            (
                "unknown-param",
                "measures.m.off",
                'pgflow.aggregate takes no param "off"; remove it.',
            ),
        ),
        (
            "aggregate",
            {"group_by": {"n": "x"}, "measures": COUNT},
            (
                "wrong-param",
                "",
                (
                    'A group and a measure are both called "n"; rename one; got'
                    " {'group_by': {'n': 'x'}, 'measures': {'n': {'op': 'count'}}}."
                ),
            ),
        ),
    ],
)
def test_each_problem_is_one_sentence_with_its_place(
    kind: str, params: dict[str, Any], problem: tuple[str, str, str]
) -> None:
    [(code, path, message)] = problems_found(RULE, flow(kind, params))
    facts = message.partition("ctx.")[2].partition(", item")[0]
    wanted = problem[2].replace("{facts}", f"ctx.{facts}")
    assert (code, path, message) == (problem[0], f"steps.s.params.{problem[1]}".rstrip("."), wanted)


def test_all_problems_are_told_at_once() -> None:
    wrong = flow("http", {"ulr": "x", "timeout": 0, "headers": {"a b": "c"}})
    assert sorted(places(RULE, wrong)) == [
        ("missing-param", "steps.s.params.url"),
        ("unknown-param", "steps.s.params.ulr"),
        ("wrong-param", "steps.s.params.headers"),
        ("wrong-param", "steps.s.params.timeout"),
    ]


@pytest.mark.parametrize(
    ("settings", "expression"),
    [
        ({"depends_on": ["a", "b"]}, "$.x"),
        ({"depends_on": []}, "output.x"),
        ({"a_map": True}, "output.x"),
        ({"a_map": True}, "deps.a"),
        ({}, "item.x"),
    ],
)
def test_an_expression_asks_only_for_what_its_step_has(
    settings: dict[str, Any], expression: str
) -> None:
    wrong = flow("transform", {"expression": expression}, **settings)
    assert places(RULE, wrong) == [("invalid-expression", "steps.s.params.expression")]


def test_with_several_dependencies_the_list_must_be_named() -> None:
    wrong = flow("aggregate", {"measures": COUNT}, depends_on=["a", "b"])
    assert problems_found(RULE, wrong) == [
        (
            "unclear-items",
            "steps.s.params.items",
            (
                "The step receives the outputs of 2 steps; say in items which list it works on, as"
                " in $nodes.<step>.<path>."
            ),
        )
    ]


def test_params_of_other_handlers_are_not_looked_at() -> None:
    assert problems_found(RULE, Flow("f").step("s", handler="slack", params={"x": 1})) == []


@pytest.mark.parametrize(
    "params",
    [
        {"x": "$nodes.a.b and $nodes.ghost", "y": "${HOME} ${secret:X}", "z": "$nodes"},
        {"x": "$$nodes.ghost", "y": ["Hi ${$nodes.a}", {"z": "$input.q"}]},
        {"dagster-pgflow/names": {"a": "$nodes.ghost"}},
    ],
)
def test_params_may_refer_to_dependencies_and_look_like_it(params: dict[str, Any]) -> None:
    steps = Flow("f").step("a").step("b").step("s", "mine", params=params, depends_on="a")
    assert problems_found(references_lead_to_steps, steps) == []


@pytest.mark.parametrize(
    ("text", "a_map", "code", "told"),
    [
        ("${$nodes.b.x}", False, "reference-to-no-dependency", 'add "b" to its depends_on.'),
        ("$nodes.ghost", False, "reference-to-no-dependency", "steps that it depends on, and to"),
        ("$nodes.a", True, "reference-to-no-dependency", "refer to $item or $input"),
        ("$item.x", False, "reference-to-no-item", "only the params of a map step can have one."),
    ],
)
def test_params_that_refer_to_what_is_not_there_are_refused(
    text: str, a_map: bool, code: str, told: str
) -> None:
    steps = flow("x", {"p": [text]}, a_map=a_map)
    [(found, path, message)] = problems_found(references_lead_to_steps, steps)
    assert (found, path) == (code, "steps.s.params.p[0]")
    assert told in message

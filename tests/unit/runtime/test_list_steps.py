"""`pgflow.transform`, `pgflow.filter` and `pgflow.aggregate`: what comes out of what."""

from statistics import fmean
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_pgflow.step_errors import NonRetryable
from tests.unit.runtime.nodes import output_of

ORDERS = [
    {"id": 1, "land": "de", "cents": 500, "who": {"name": "Ada"}},
    {"id": 2, "land": "fr", "cents": 250, "who": {"name": "Bo"}},
    {"id": 3, "land": "de", "cents": None, "who": None},
    {"id": 4, "cents": 1},
]


def refusal(kind: str, params: dict[str, Any], value: Any = None, **more: Any) -> str:
    with pytest.raises(NonRetryable) as refused:
        output_of(kind, params, value, **more)
    return str(refused.value).partition(" raised NonRetryable: ")[2] or str(refused.value)


@pytest.mark.parametrize(
    ("expression", "output"),
    [
        ("input.cart.n * 2", 6),
        ("deps.cart == $ && output.n == 3", True),
        ("flow_input.who + '!'", "Ada!"),
        ("null", None),
        ("$.lines.map(l, {'id': l})", [{"id": 1}, {"id": 2}]),
        ("ctx.step_slug", "s"),
        ({"n": "$.n", "all": "input"}, {"n": 3, "all": {"cart": {"n": 3, "lines": [1, 2]}}}),
        ({}, {}),
    ],
)
def test_a_transform_makes_json(expression: Any, output: Any) -> None:
    value = {"cart": {"n": 3, "lines": [1, 2]}}
    params = {"expression": expression}
    made = output_of("transform", params, value, depends_on=("cart",), flow_input={"who": "Ada"})
    assert made == output


def test_a_transform_at_the_root_has_the_flow_input() -> None:
    value = {"n": 1.5}
    assert output_of("transform", {"expression": "input.n + flow_input.n"}, value, flow_input=value)


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("input.x", 'expression `input.x` has no value: there is no key "x".'),
        ({"a": "1", "b": "1 / 0"}, "expression.b `1 / 0` has no value: divide by zero."),
        ("$.x", "expression `$.x` has no value: there is no output here."),
        ("deps.x", 'expression `deps.x` has no value: there is no key "x".'),
        ("{'a': 0.0 / 0.0}", "`{'a': 0.0 / 0.0}` has no value: it gives infinity or NaN"),
    ],
)
def test_an_expression_without_a_value_fails_the_step_at_once(expression: Any, told: str) -> None:
    assert told in refusal("transform", {"expression": expression}, {"y": 1})


def test_a_filter_keeps_what_its_condition_holds_for() -> None:
    params = {"condition": "item.cents > flow_input.least || index == 3", "on_error": "drop"}
    flow_input = {"least": 400}
    kept = output_of("filter", params, {"a": ORDERS}, depends_on=("a",), flow_input=flow_input)
    assert [order["id"] for order in kept] == [1, 4]


@pytest.mark.parametrize(("on_error", "kept"), [("drop", [1]), ("keep", [1, 3, 4])])
def test_an_element_without_an_answer_is_dropped_or_kept(
    on_error: str, kept: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    params = {"condition": "item.who.name == 'Ada'", "on_error": on_error}
    assert [order["id"] for order in output_of("filter", params, ORDERS)] == kept
    assert caplog.messages[0].startswith(
        "The condition `item.who.name == 'Ada'` has no answer for element 2: it asks for a key of"
    )
    assert len(caplog.messages) == 2


def test_the_log_names_some_elements_and_counts_all(caplog: pytest.LogCaptureFixture) -> None:
    params = {"condition": "item.x", "on_error": "drop"}
    assert output_of("filter", params, [{"x": True}, *range(100)]) == [{"x": True}]
    assert len(caplog.messages) == 6
    assert caplog.messages[-1] == "In all, 100 elements had no answer."


def test_an_element_without_an_answer_fails_the_step() -> None:
    told = refusal("filter", {"condition": "item.who.name == 'Ada'"}, ORDERS)
    assert "has no answer for element 2" in told
    assert "it asks for a key of something that is not an object" in told
    assert "it gives a number, not true or false" in refusal("filter", {"condition": "item"}, [1])


@pytest.mark.parametrize(
    ("params", "value", "depends_on", "output"),
    [
        ({}, [3, 5], (), [5]),
        ({}, {"a": [3, 5]}, ("a",), [5]),
        ({}, {}, ("a",), []),
        ({"items": "$nodes.a.rows"}, {"a": {"rows": [5]}, "b": 1}, ("a", "b"), [5]),
        ({"items": "$input.rows"}, None, (), [7]),
        ({"items": [1, 9]}, None, (), [9]),
    ],
)
def test_the_list_is_what_arrives_or_what_items_says(
    params: dict[str, Any], value: Any, depends_on: tuple[str, ...], output: list[int]
) -> None:
    params = {"condition": "item > 4", **params}
    made = output_of("filter", params, value, depends_on=depends_on, flow_input={"rows": [1, 7]})
    assert made == output


@pytest.mark.parametrize(
    ("params", "value", "depends_on", "told"),
    [
        ({}, {"x": 1}, (), "It works on a list, but what it receives is an object."),
        ({}, {"a": "x"}, ("a",), 'It works on a list, but the output of step "a" is text.'),
        ({"items": "$input"}, [1], (), "It works on a list, but items is null."),
        ({"items": None}, [1], (), "It works on a list, but items is null."),
    ],
)
def test_what_is_no_list_fails_the_step(
    params: dict[str, Any], value: Any, depends_on: tuple[str, ...], told: str
) -> None:
    params = {"condition": "true", **params}
    assert refusal("filter", params, value, depends_on=depends_on) == told


ALL: dict[str, Any] = {
    "orders": {"op": "count"},
    "paid": {"op": "count", "of": "cents"},
    "sum": {"op": "sum", "of": "cents"},
    "least": {"op": "min", "of": "cents"},
    "most": {"op": "max", "of": "item.cents"},
    "mean": {"op": "mean", "of": "cents"},
    "ids": {"op": "collect", "of": "id"},
    "names": {"op": "collect", "of": "who.name"},
}


def test_without_groups_an_aggregate_is_one_object() -> None:
    params = {"measures": {**ALL, "most": {"op": "max", "of": "has(item.land) ? item.cents : 0"}}}
    assert output_of("aggregate", params, ORDERS) == {
        "orders": 4,
        "paid": 3,
        "sum": 751,
        "least": 1,
        "most": 500,
        "mean": 751 / 3,
        "ids": [1, 2, 3, 4],
        "names": ["Ada", "Bo", None, None],
    }


def test_an_empty_list_has_no_groups_and_says_nothing_but_its_length() -> None:
    assert output_of("aggregate", {"measures": ALL, "group_by": "land"}, []) == []
    assert output_of("aggregate", {"measures": ALL}, []) == {
        "orders": 0, "paid": 0, "sum": 0, "least": None, "most": None, "mean": None,
        "ids": [], "names": [],
    }  # fmt: skip


def test_groups_come_in_the_order_in_which_they_begin_null_among_them() -> None:
    params = {"group_by": "land", "measures": {"n": {"op": "count"}, "sum": ALL["sum"]}}
    assert output_of("aggregate", params, ORDERS) == [
        {"group": "de", "n": 2, "sum": 500},
        {"group": "fr", "n": 1, "sum": 250},
        {"group": None, "n": 1, "sum": 1},
    ]


def test_a_group_may_have_several_values_and_names() -> None:
    params = {
        "group_by": {"land": "land", "even": "item.id % 2 == 0"},
        "measures": {"ids": {"op": "collect", "of": "id"}},
    }
    assert output_of("aggregate", params, ORDERS) == [
        {"land": "de", "even": False, "ids": [1, 3]},
        {"land": "fr", "even": True, "ids": [2]},
        {"land": None, "even": True, "ids": [4]},
    ]


@pytest.mark.parametrize(
    ("values", "groups"),
    [
        ([1, 1.0, True, "1"], [1, True, "1"]),
        ([0, False, None, "", []], [0, False, None, "", []]),
        ([{"a": 1, "b": 2}, {"b": 2.0, "a": 1}], [{"a": 1, "b": 2}]),
        ([[1, 2], [2, 1]], [[1, 2], [2, 1]]),
    ],
)
def test_values_are_one_group_when_they_are_equal_as_json(
    values: list[Any], groups: list[Any]
) -> None:
    params = {"group_by": "item", "measures": {"n": {"op": "count"}}}
    made = output_of("aggregate", params, values)
    # In Python 1 is True.
    assert [repr(one["group"]) for one in made] == [repr(one) for one in groups]


@pytest.mark.parametrize(
    ("values", "op", "result"),
    [
        ([1, 2, 2**70], "sum", 2**70 + 3),
        ([0.1] * 10, "sum", 1.0),
        ([1, 0.5], "sum", 1.5),
        ([None, None], "sum", 0),
        ([None], "mean", None),
        ([2, None, 4], "mean", 3.0),
        (["b", "a", None], "min", "a"),
        ([2, 1.5], "min", 1.5),
        ([None], "max", None),
        ([None, 0, False, ""], "count", 4),
        ([None, 0], "collect", [None, 0]),
    ],
)
def test_null_is_passed_over_and_numbers_are_exact(values: list[Any], op: str, result: Any) -> None:
    made = output_of("aggregate", {"measures": {"m": {"op": op}}}, values)["m"]
    assert made == result
    assert type(made) is type(result)


def test_a_count_of_a_value_counts_what_is_not_null() -> None:
    params = {"measures": {"n": {"op": "count", "of": "item"}}}
    assert output_of("aggregate", params, [None, 0, False, ""]) == {"n": 3}


@pytest.mark.parametrize(
    ("values", "measure", "told"),
    [
        ([1, "2"], {"op": "sum"}, 'There is no sum for "m": element 1 is text, not a number.'),
        ([True], {"op": "sum"}, 'There is no sum for "m": element 0 is a boolean, not a number.'),
        ([1, None, "2"], {"op": "min"}, "element 2 is text, but others are a number."),
        ([[1]], {"op": "max"}, "element 0 is a list, not a number or text."),
        (["a"], {"op": "mean"}, 'There is no mean for "m": element 0 is text, not a number.'),
        ([1e308, 1e308], {"op": "sum"}, "The sum is larger than a floating-point number can be."),
        ([10**400], {"op": "mean"}, "The mean is larger than a floating-point number can be."),
        ([{}], {"op": "sum", "of": "item.x"}, 'There is no "m" for element 0: `item.x` has no'),
    ],
)
def test_what_cannot_be_measured_is_told(
    values: list[Any], measure: dict[str, Any], told: str
) -> None:
    assert told in refusal("aggregate", {"measures": {"m": measure}}, values)


@given(st.lists(st.one_of(st.none(), st.integers(-(10**6), 10**6)), max_size=20))
def test_measures_agree_with_a_recount(values: list[int | None]) -> None:
    ops = ("count", "sum", "min", "max", "mean", "collect")
    params = {"measures": {op: {"op": op, "of": "v"} for op in ops}}
    numbers = [value for value in values if value is not None]
    elements = [{} if value is None else {"v": value} for value in values]
    assert output_of("aggregate", params, elements) == {
        "count": len(numbers),
        "sum": sum(numbers),
        "min": min(numbers, default=None),
        "max": max(numbers, default=None),
        "mean": pytest.approx(fmean(numbers)) if numbers else None,
        "collect": values,
    }

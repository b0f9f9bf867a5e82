"""Expressions: what is refused, where, in which words; and what the rest answers."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dagster_pgflow.errors import ExpressionProblem, InvalidExpression
from dagster_pgflow.expressions.cel import DEEPEST, ROOTS, Expression, expression, value_expression
from dagster_pgflow.step_errors import ExpressionFailed

CTX = {
    "run_id": "r-1",
    "flow_slug": "order",
    "step_slug": "charge",
    "step_path": "payment.charge",
    "iteration": 2,
    "max_iterations": 5,
    "params": {"limit": 100},
}
WITHOUT_OUTPUT = frozenset(ROOTS) - {"output"}
FACTS = (
    "ctx.run_id, ctx.flow_slug, ctx.step_slug, ctx.step_path, ctx.iteration, ctx.max_iterations,"
    " ctx.params"
)
NAMES = f"input, flow_input, deps, {FACTS}"


def problems(text: str) -> list[tuple[int, int, str]]:
    with pytest.raises(InvalidExpression) as caught:
        expression(text, WITHOUT_OUTPUT)
    return [(found.line, found.column, found.message) for found in caught.value.problems]


def reason(text: str, **values: Any) -> str:
    with pytest.raises(ExpressionFailed) as caught:
        expression(text).holds(values)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "values", "answer"),
    [
        ("input.amount > 100", {"input": {"amount": 101}}, True),
        ("input.amount > 100", {"input": {"amount": 100}}, False),
        ("input.amount > 100", {"input": {"amount": 100.5}}, True),
        ("input.n == 1.0", {"input": {"n": 1}}, True),
        ("input == null", {"input": None}, True),
        ("size(input) > 1 && input[0] == 'a'", {"input": ["a", "b"]}, True),
        ("input.name == 'Zoë 𝒳'", {"input": {"name": "Zoë 𝒳"}}, True),
        ("has(deps.weigh)", {"deps": {"weigh": None}}, True),
        ("has(deps.weigh)", {"deps": {}}, False),
        ("!has(deps.weigh) || deps.weigh > 3", {"deps": {}}, True),
        ("output.ok", {"output": {"ok": True}}, True),
        ("flow_input.plan in ['pro', 'team']", {"flow_input": {"plan": "pro"}}, True),
        ("input.items.exists(item, item.price > 5)", {"input": {"items": [{"price": 6}]}}, True),
        ("input.all(x, x > 0)", {"input": []}, True),
        ("ctx.params.limit > 99 && ctx.step_path == 'payment.charge'", {"ctx": CTX}, True),
        ("ctx.run_id.startsWith('r') && ctx.flow_slug != ctx.step_slug", {"ctx": CTX}, True),
        ("ctx.iteration * 2 < ctx.max_iterations", {"ctx": CTX}, True),
        ("input.mail.matches('^[^@]+@example[.]org$')", {"input": {"mail": "a@example.org"}}, True),
    ],
)
def test_an_expression_answers_for_the_values_at_hand(
    text: str, values: dict[str, Any], answer: bool
) -> None:
    assert expression(text).holds(values) is answer


def test_a_part_that_has_no_answer_does_not_matter_when_the_rest_decides() -> None:
    assert expression("input.a > 1 || true").holds({"input": {}})
    assert not expression("input.a > 1 && false").holds({"input": {}})


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("", 1, 1, "it is empty"),
        ("  ", 1, 1, "it is empty"),
        ("input.a >", 1, 10, "it ends too early"),
        ("true && (false", 1, 15, "it ends where ')' is missing"),
        ("input.a = 1", 1, 9, '"=" does not belong here'),
        ("input and true", 1, 7, '"and" does not belong here'),
        (
            "input.a && $.x > 1",
            1,
            12,
            '"output" exists only where a step has exactly one dependency; use deps.<step>',
        ),
        ("$nodes.a.x > 1", 1, 1, "in CEL write deps.<step>, without $"),
        ("1 > ${$input.x}", 1, 5, "in CEL write flow_input, without $"),
        ("input.$ > 1", 1, 7, '"$" does not belong here'),
        ("inptu.a > 3", 1, 1, f'there is no "inptu"; use one of: {NAMES}'),
        ("'é' == 'é' && foo.b.c", 1, 15, f'there is no "foo"; use one of: {NAMES}'),
        ("true\n  && nofn(input)", 2, 6, 'there is no function "nofn"'),
        ("input.starts('a')", 1, 7, 'there is no function "starts"'),
        ("'a' > 1", 1, 5, '">" does not work on string and int'),
        ("1 + 1", 1, 1, "it gives a number, not true or false"),
        ("'yes'", 1, 1, "it gives text, not true or false"),
        ("deps", 1, 1, "it gives an object, not true or false"),
        ("if", 1, 1, '"if" is reserved'),
        ("has(input)", 1, 5, "has() takes a path such as input.key"),
        ("(" * 500 + "true" + ")" * 500, 1, 1, "it is nested too deeply"),
        ("true && '\x00' == 'a'", 1, 10, "NUL characters cannot be stored"),
        ("'\ud800' == 'a'", 1, 1, "it is not valid Unicode text"),
        (
            "output.x > 1",
            1,
            1,
            '"output" exists only where a step has exactly one dependency; use deps.<step>',
        ),
        (
            "ctx.attempt > 1",
            1,
            1,
            f'there is no "ctx.attempt"; use one of: {FACTS}',
        ),
    ],
)
def test_what_is_no_condition_is_refused_with_its_place(
    text: str, line: int, column: int, message: str
) -> None:
    assert problems(text) == [(line, column, message)]


@pytest.mark.parametrize(
    ("text", "output", "answer"),
    [
        ("$.total > 3", {"total": 4}, True),
        ("$.a.b == '$.a' // $.c", {"a": {"b": "$.a"}}, True),
        ("$ == 2", 2, True),
        ("$[1] == 2 && $[0]==$[1]-1", [1, 2], True),
        ("[3].all(x,x>$)", 4, False),
    ],
)
def test_a_dollar_is_the_output(text: str, output: Any, answer: bool) -> None:
    asked = expression(text)
    assert (asked.text, set(asked.roots)) == (text, {"output"})
    assert asked.holds({"output": output}) is answer


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("$.x >", 1, 6),
        ("$.x > 1 && $.y + * 3", 1, 18),
        ("$.x > 1 &&\n $.y && $.z) ", 2, 12),
        ("$.x == '$' && inptu", 1, 15),
        ("$.f($.y)", 1, 3),
    ],
)
def test_problems_stand_where_they_are_written_also_behind_a_dollar(
    text: str, line: int, column: int
) -> None:
    with pytest.raises(InvalidExpression) as caught:
        expression(text)
    assert [(found.line, found.column) for found in caught.value.problems] == [(line, column)]


@given(st.text(st.sampled_from("$.x1 '\"\\\n/[(&>"), max_size=12))
def test_a_dollar_leads_to_an_answer_or_to_a_problem_inside_the_text(text: str) -> None:
    try:
        expression(text)
    except InvalidExpression as invalid:
        for found in invalid.problems:
            lines = text.split("\n")
            assert 1 <= found.line <= len(lines)
            assert 1 <= found.column <= max(map(len, lines)) + 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{'a': $.x * 2, 'b': [item, index, null]}", {"a": 6, "b": [{"k": 1.5}, 2, None]}),
        ("$.x", 3),
        ("input.map(n, n + 1)", [2, 3]),
        ("string(timestamp('2020-01-01T00:00:00Z'))", "2020-01-01T00:00:00Z"),
        ("3u", 3),
    ],
)
def test_an_expression_gives_json(text: str, value: Any) -> None:
    values = {"output": {"x": 3}, "item": {"k": 1.5}, "index": 2, "input": [1, 2]}
    assert value_expression(text).value(values) == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{1: 2}", "it gives an object with keys that are not texts, which is not JSON"),
        ("[timestamp('2020-01-01T00:00:00Z')]", "it gives a timestamp, which is not JSON"),
        ("{'a': [b'x']}", "it gives bytes or a type, which is not JSON"),
        ("1.0 / 0.0", "it gives infinity or NaN, which is not JSON"),
        ("$.y", 'there is no key "y"'),
    ],
)
def test_what_is_no_json_is_told(text: str, why: str) -> None:
    with pytest.raises(ExpressionFailed) as failed:
        value_expression(text).value({"output": {"x": 3}})
    assert str(failed.value) == why


def test_an_expression_that_never_gives_json_is_refused() -> None:
    with pytest.raises(
        InvalidExpression, match=r"not an expression: .*a duration, which is not JSON"
    ):
        value_expression("duration('3s')")


def test_every_unknown_name_is_told_at_once() -> None:
    places = [(line, column) for line, column, _ in problems("foo.a > 1 &&\n bar || baz.c")]
    assert places == [(1, 1), (2, 2), (2, 9)]


def test_a_refusal_is_one_sentence_with_the_expression_and_the_column() -> None:
    with pytest.raises(InvalidExpression) as caught:
        expression("1 + 1")
    assert str(caught.value) == (
        "`1 + 1` is not a condition: line 1, column 1: it gives a number, not true or false."
    )
    assert caught.value.problems == (
        ExpressionProblem(1, 1, "it gives a number, not true or false"),
    )


def test_a_long_expression_is_told_by_its_beginning() -> None:
    with pytest.raises(InvalidExpression) as caught:
        expression("'" + "x" * 5000 + "'")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("text", "values", "why"),
    [
        ("input.a > 1", {"input": {}}, 'there is no key "a"'),
        ("input.a > 1", {"input": None}, "it asks for a key of something that is not an object"),
        ("input.a > 1", {"input": {"a": True}}, '">" does not work on bool and int64'),
        ("input.a", {"input": {"a": [1]}}, "it gives a list, not true or false"),
        ("input.a", {"input": {"a": "true"}}, "it gives text, not true or false"),
        ("input.a", {"input": {"a": 1}}, "it gives a number, not true or false"),
        ("input.a", {"input": {"a": None}}, "it gives null, not true or false"),
        ("!input", {"input": 0}, "it needs true or false where it has something else"),
        ("input[0] > 1", {"input": []}, "there is no element 0 in a list of 0"),
        ("output > 1", {}, "there is no output here"),
        ("1 / input == 1", {"input": 0}, "divide by zero"),
        ("input.a + 1 > 0", {"input": {"a": 2**63 - 1}}, "integer overflow"),
        ("input.a + 1 > 0", {"input": {"a": 2**70}}, '"+" does not work on double and int64'),
        ("input == 'a'", {"input": "\ud800"}, "a text that it looks at is not valid Unicode"),
        (
            "input.matches(input)",
            {"input": "(("},
            "invalid regular expression: missing ): ((",
        ),
    ],
)
def test_what_has_no_answer_says_why(text: str, values: dict[str, Any], why: str) -> None:
    assert reason(text, **values) == why


def test_a_runaway_expression_is_stopped() -> None:
    text = "input.all(x, input.all(y, input.all(z, x + y + z >= 0)))"
    assert reason(text, input=list(range(1000))) == "it takes too many iterations"


def test_a_regular_expression_takes_time_linear_in_the_text() -> None:
    assert not expression("input.matches('(a+)+$')").holds({"input": "a" * 10_000 + "!"})


def test_a_value_that_would_end_the_process_is_refused() -> None:
    value: Any = 1
    for _ in range(100_000):
        value = [value]
    assert reason("input == 1", input=value) == f"input is nested more than {DEEPEST} levels deep"


def test_a_value_that_is_not_asked_for_does_not_matter() -> None:
    assert expression("input").holds({"input": True, "flow_input": 2**70})


@pytest.mark.parametrize(
    ("text", "roots"),
    [
        ("true", set()),
        ("input.flow_input == 'output'", {"input"}),
        ("flow_input.a > 1 && has(deps.a)", {"flow_input", "deps"}),
        ("ctx.params.input == output", {"ctx", "output"}),
        ("input.all(deps, deps > 1)", {"input"}),
        ("true || flow_input", {"flow_input"}),
    ],
)
def test_an_expression_knows_what_it_asks_for(text: str, roots: set[str]) -> None:
    assert expression(text).roots == roots


@pytest.mark.parametrize(
    ("text", "name", "asks"),
    [
        ("ctx.iteration < 3", "ctx.iteration", True),
        ("ctx.max_iterations < 3", "ctx.iteration", False),
        ("ctx.params.iteration < 3", "ctx.iteration", False),
        ("output.iteration < 3", "output", True),
    ],
)
def test_an_expression_knows_each_variable_that_it_asks_for(
    text: str, name: str, asks: bool
) -> None:
    assert expression(text).asks_for(name) is asks


def test_an_expression_is_compiled_once() -> None:
    assert expression("input.once") is expression("input.once")


operators = st.sampled_from(["==", ">", "&&", "||", "!", "-", "(", ")", "[", "]", "{", "}", "? :"])
literals = st.sampled_from(
    ["'x'", "b'x'", "1", "1.5", "9" * 20, "true", "null", "é", "'", '"', "\\"]
)
calls = st.sampled_from([".a", ".b.c", "[0]", "size", "has", ".all(x, x)", ".matches('(')", "type"])
roots = st.sampled_from([*ROOTS, "ctx.params", "\n", "//"])
words = roots | operators | literals | calls
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcx"), inner, max_size=3),
    max_leaves=10,
)


@example("'\ud800'", {})
@example("input.a >", {})
@given(
    st.text() | st.lists(words, max_size=12).map(" ".join) | st.lists(words).map("".join),
    json_values,
)
def test_no_text_and_no_value_ends_in_a_raw_error(text: str, value: Any) -> None:
    values = {"input": value, "flow_input": value, "deps": {"a": value}, "ctx": CTX}
    try:
        found: Expression = expression(text)
        found.holds(values | {"output": value})
    except (InvalidExpression, ExpressionFailed) as error:
        told = str(error)
        assert told
        assert "INVALID_ARGUMENT" not in told.removeprefix(f"`{text}`")
        told.encode()


@given(json_values, json_values)
def test_equality_with_itself_holds_or_is_told(value: Any, other: Any) -> None:
    try:
        both = expression("deps.a == deps.b").holds({"deps": {"a": value, "b": other}})
        turned = expression("deps.b == deps.a").holds({"deps": {"a": value, "b": other}})
    except ExpressionFailed:
        return
    assert both == turned

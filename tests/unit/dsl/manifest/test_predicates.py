"""Predicates of manifests answer as Clojure does, whatever the data is."""

import contextlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_pgflow.dsl.manifest.forms import (
    Atom,
    Cel,
    Form,
    FormRefused,
    Keyword,
    ListForm,
    SetForm,
    Symbol,
    VectorForm,
)
from dagster_pgflow.dsl.manifest.predicates import MOST_CHARACTERS, predicate
from dagster_pgflow.expressions.cel import DATA_ROOT, expression
from dagster_pgflow.expressions.roots import with_root
from dagster_pgflow.step_errors import ExpressionFailed
from tests.unit.dsl.manifest.clojure import Throws, holds
from tests.unit.dsl.manifest.edn import converted, form

EVERY_TYPE = {
    "null": None,
    "true": True,
    "false": False,
    "zero": 0,
    "one": 1,
    "double": 1.0,
    "half": 0.5,
    "text": "a",
    "empty text": "",
    "list": [1, "a"],
    "empty list": [],
    "object": {"k": 1, "a": {"b": None}},
    "empty object": {},
    "nested": {"b": True, "k": "a"},
}
BODIES = """
true  nil  :k  0  ""  []
(:k d)  (:k (:a d))  (get d :k)  (get d "auth-token")  (get-in d [:k :b])  (get-in d [:k 0])
(get-in d [])  (:k d 5)  (get d :k nil)  (get-in d [:k :b] false)  (:in d)  (:user/name d)
(= 1 (:k d))  (= "a" (:k d))  (= :a (:k d))  (= nil (:k d))  (= false (:k d))  (= true (:k d))
(= [1 "a"] (:k d))  (= {} (:k d))  (= (:k d) (:k d) 1)  (= (:k d) (:b d))  (= 1 1)  (= 1)
(= (= 1 (:k d)) true)  (= (or (:k d) 1) 1)  (= (:k d) {:k 1 :a {:b nil}})
(not= 1 (:k d))  (not= (:k d) nil)  (not (:k d))  (not (not (:k d)))  (not (= 1 (:k d)))
(some? (:k d))  (nil? (:k d))  (some? d)  (nil? (get-in d [:k :b]))  (some? (or (:k d) (:b d)))
(and)  (or)  (and (:k d))  (or (:k d) (:b d))  (and (:k d) (:b d))  (or false (:k d) 1)
(< 0 (:k d))  (> (:k d) 0.5)  (<= 0 (:k d) 1)  (>= (:k d) (:k d))  (< (:k d))  (< (:k d) (:b d))
(< 2 1)  (> (get d :k 0) 0)
(contains? #{1 "a"} (:k d))  (contains? #{nil} (:k d))  (contains? #{} (:k d))
(contains? d :k)  (contains? (:k d) :a)  (contains? (get-in d [:k :a]) :b)  (contains? d :a-b)
(empty? (:k d))  (seq (:k d))  (empty? d)  (seq (or (:k d) (:b d)))  (not (seq (:k d)))
(and (seq (:k d)) (= 1 (:b d)))  (or (empty? (:k d)) (:b d))
"""


def body(form: Form) -> Form:
    return ListForm((Symbol("fn"), VectorForm((Symbol("d"),)), form))


def answer(condition: str, data: Any) -> bool:
    """Ask a condition in the way in which a branch asks its rules."""
    asked = expression(with_root(condition, DATA_ROOT, "output"), frozenset({"output"}))
    return asked.holds({"output": data})


def assert_as_clojure_says(written: Form, data: Any) -> None:
    condition = predicate(body(written))
    try:
        expected = holds(written, data)
    except Throws:
        # CEL may do without what throws: one side of || and && is enough for it.
        with contextlib.suppress(ExpressionFailed):
            answer(condition, data)
        return
    assert answer(condition, data) == expected, condition


@pytest.mark.parametrize("text", [text for text in re.split(r"\s{2,}|\n", BODIES) if text])
def test_each_form_answers_as_clojure_does_for_every_type(text: str) -> None:
    written = form(text)
    for data in ({}, *({"k": value} for value in EVERY_TYPE.values())):
        assert_as_clojure_says(written, data)
        assert_as_clojure_says(written, data | {"b": 1, "a": data, "a-b": 1, "in": 1})


@pytest.mark.parametrize(
    "text",
    [
        "(< nil 1)",
        "(< (:k d) 1)",
        "(<= (:k d) (:k d))",
        "(empty? (:n d))",
        "(seq (:n d))",
        "(contains? (:k d) :a)",
        "(> (:n d) (:k d))",
    ],
)
def test_where_clojure_throws_there_is_no_answer(text: str) -> None:
    with pytest.raises(ExpressionFailed):
        answer(predicate(body(form(text))), {"k": "text", "n": 5})


@pytest.mark.parametrize(
    ("text", "matching", "other"),
    [
        ("{:k 1}", [{"k": 1}, {"k": 1.0, "more": 2}], [{}, {"k": 2}, {"k": None}]),
        ("{:k nil}", [{}, {"k": None}], [{"k": 0}]),
        ("{:k _}", [{"k": None}, {"k": [1]}], [{}, {"b": 1}]),
        ("{:k {:b :on}}", [{"k": {"b": "on"}}], [{"k": "on"}, {"k": {}}, {}]),
        ("{:k {}}", [{"k": {}}, {"k": {"b": 1}}], [{}, {"k": []}]),
        ("{:k [1 _]}", [{"k": [1, None]}], [{"k": [1]}, {"k": [1, 2, 3]}, {"k": {}}, {}]),
        ("{}", [{}, {"k": 1}], []),
        ("{:mycelium/error _}", [{"error": {"message": "no"}}], [{}]),
    ],
)
def test_a_pattern_matches(text: str, matching: list[Any], other: list[Any]) -> None:
    condition = predicate(form(text))
    assert [answer(condition, data) for data in (*matching, *other)] == [
        *([True] * len(matching)),
        *([False] * len(other)),
    ]


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("(constantly true)", "true"),
        ("(constantly nil)", "false"),
        ("(fn [_] true)", "true"),
        (":approved?", '("approved?" in data && !(data["approved?"] in [null, false]))'),
        ("(fn [d] (= :gold (:tier d)))", '(has(data.tier) && data.tier == "gold")'),
        ("(fn [data] (some? (:mycelium/error data)))", "(has(data.error) && data.error != null)"),
        ("(fn [d] (> (:total d) 100))", "(data.total > 100)"),
        (
            "(fn [{:keys [a]}] (not a))",
            "!(has(data.a) && !(data.a in [null, false]))",
        ),
        (
            "(fn [d] (= 1 (get-in d [:a :b])))",
            "(has(data.a) && type(data.a) == map && has(data.a.b) && data.a.b == 1)",
        ),
    ],
)
def test_conditions_are_short(text: str, condition: str) -> None:
    assert predicate(form(text)) == condition


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(fn [{:keys [k]}] k)", True),
        ("(fn [{:keys [user/k]}] k)", False),
        ("(fn [{:strs [k]}] (= k 5))", True),
        ("(fn [{name :k}] (= name 5))", True),
        ("(fn [{:keys [j] :or {j 7}}] (= j 7))", True),
        ("(fn [{:keys [k] :or {k 7}}] (= k 7))", False),
        ("(fn [{:keys [j] :as d}] (and (nil? j) (:k d)))", True),
    ],
)
def test_parameters_name_keys_of_the_map(text: str, expected: bool) -> None:
    assert answer(predicate(form(text)), {"k": 5}) is expected


@pytest.mark.parametrize("text", ["data.total > 5", 'data["a-b"] == "data"'])
def test_a_text_is_cel_and_stays_as_it_is(text: str) -> None:
    assert (predicate(Atom(text)), predicate(Cel(text))) == (text, text)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (
            "(fn [d] (count d))",
            "(count d) is not understood here: write (:k d), or a call of get, get-in, =",
        ),
        ("(fn [d] x)", "x is not understood here: the names here are: d"),
        ("(fn [d e] true)", "[d e] is not the data map"),
        ("(fn [d] 1 2)", "with one form in it"),
        ("(fn [d] (not))", "takes one argument, and has 0"),
        ("(fn [d] (=))", "1 or more arguments, and has 0"),
        ("(fn [d] (:k))", "write (:key d)"),
        ("(fn [d] (:k (or d d)))", "looked up in the data map only"),
        ("(fn [d] (get d d))", "a key is a keyword or a text"),
        ("(fn [d] (get d -1))", "a key is a keyword or a text"),
        ("(fn [d] (= #{1} (:k d)))", "#{1} is not understood"),
        ("(fn [d] (= [d] (:k d)))", "a value stands here"),
        ("(fn [d] (= (seq (:k d)) nil))", "seq only says"),
        ("(fn [d] (= 99999999999999999999 (:k d)))", "at most 64 bits"),
        ("(fn [d] (System/exit 0))", "(System/exit 0) is not understood"),
        ("(partial = 1)", "(partial = 1) is not understood"),
        ("5", "5 is not understood"),
        ('"data.k >"', "it ends too early"),
        ('"__import__(data)"', "there is no function"),
        ('"output.k"', 'there is no "output"'),
        ('(fn [d] (= "\u0000" (:k d)))', "not Unicode text"),
    ],
)
def test_whatever_else_there_is_is_refused(text: str, named: str) -> None:
    with pytest.raises(FormRefused) as refused:
        predicate(form(text))
    assert named in str(refused.value)


def test_what_grows_without_measure_is_refused() -> None:
    grown = form("(:k d)")
    for _ in range(60):
        grown = form_of_call("empty?", form_of_call("or", grown, form("(:k d)")))
    with pytest.raises(FormRefused, match=f"beyond {MOST_CHARACTERS}"):
        predicate(body(grown))


def form_of_call(name: str, *arguments: Form) -> Form:
    return ListForm((Symbol(name), *arguments))


keys = st.sampled_from(["k", "a", "b", "a-b", "in"])
values: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 1.0, -3, 0.5, "", "a", "b"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
literals = values.map(converted)


def calls(inner: st.SearchStrategy[Form]) -> st.SearchStrategy[Form]:
    heads = {1: ["not", "some?", "nil?", "empty?", "seq"], 2: ["=", "not=", "<", ">=", "and", "or"]}
    return st.one_of(
        st.builds(form_of_call, st.sampled_from(heads[1]), inner),
        st.builds(form_of_call, st.sampled_from(heads[2]), inner, inner | literals),
        st.builds(
            lambda items, value: form_of_call("contains?", SetForm(tuple(items)), value),
            st.lists(literals, max_size=2),
            inner,
        ),
    )


lookups = st.one_of(
    st.builds(lambda key: ListForm((Keyword(key), Symbol("d"))), keys),
    st.builds(
        lambda path: form_of_call("get-in", Symbol("d"), VectorForm(tuple(path))),
        st.lists(keys.map(Keyword) | st.integers(0, 2).map(Atom), max_size=3),
    ),
    st.builds(lambda key, value: ListForm((Keyword(key), Symbol("d"), value)), keys, literals),
)


@given(st.recursive(lookups, calls, max_leaves=6), st.dictionaries(keys, values, max_size=4))
def test_any_predicate_answers_as_clojure_does(written: Form, data: dict[str, Any]) -> None:
    try:
        predicate(body(written))
    except FormRefused as refused:
        assert "seq only says" in str(refused)  # noqa: PT017
        return
    assert_as_clojure_says(written, data)

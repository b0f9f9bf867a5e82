"""Reading a flow from a document that somebody, or some language model, wrote."""

import copy
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.validate import parse_flow, validate
from tests.unit.validation.problems import as_tuple

GOOD: dict[str, Any] = {
    "slug": "order",
    "options": {"max_attempts": 2},
    "tags": {"team": "x"},
    "input_schema": {"type": "object"},
    "steps": [
        {"type": "single", "slug": "a", "params": {"p": 1}},
        {"type": "map", "slug": "m", "depends_on": ["a"], "if": {"a": [1]}},
        {"type": "subflow", "slug": "s", "depends_on": ["m"], "flow": "payment"},
        {
            "type": "branch",
            "slug": "b",
            "depends_on": ["s"],
            "rules": [{"when": "output.ok", "then": ["l"]}],
            "default_path": ["n"],
        },
        {
            "type": "loop",
            "slug": "l",
            "depends_on": ["b"],
            "back_to": "l",
            "condition": "output.more",
            "max_iterations": 3,
            "break_path": ["n"],
        },
        {"type": "single", "slug": "n", "depends_on": ["b", "l"]},
        {"type": "join", "slug": "j", "depends_on": ["a", "n"], "wait": "any"},
    ],
    "schedules": [{"slug": "n", "cron": "0 2 * * *"}],
}


def problems_of(document: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(InvalidFlow) as caught:
        parse_flow(document)
    return [as_tuple(problem) for problem in caught.value.problems]


def test_a_good_document_is_a_flow() -> None:
    assert parse_flow(GOOD).to_json() == GOOD


@pytest.mark.parametrize("document", [None, 5, "order", [], ["slug"], {1: 2}, {"slug": "a", 1: 2}])
def test_a_document_is_an_object_of_named_fields(document: Any) -> None:
    [(code, path, message)] = problems_of(document)
    assert (code, path) == ("not-an-object", "$")
    assert message == "A flow is an object of named fields, with at least a slug."


def test_every_place_is_named_at_once() -> None:
    document = {
        "owner": "me",
        "options": {"retries": 5, "timeout": "soon"},
        "steps": [
            {"type": "single"},
            {"type": "loops", "slug": "l"},
            {"slug": "x"},
            "y",
            {"type": "map", "slug": "m", "when_unmet": "stop", "if": 5, "flow": "payment"},
            {"type": "subflow", "slug": "s"},
        ],
        "schedules": [{"slug": "n", "crn": "0 2 * * *"}],
        "tags": {"map": 5},
    }
    assert [(code, path) for code, path, _ in problems_of(document)] == [
        ("missing-field", "slug"),
        ("wrong-value", "options.timeout"),
        ("unknown-field", "options.retries"),
        ("wrong-value", "tags.map"),
        ("missing-field", "steps.0.slug"),
        ("unknown-step-type", "steps.1"),
        ("unknown-step-type", "steps.2"),
        ("wrong-value", "steps.3"),
        ("wrong-value", "steps.4.if"),
        ("wrong-value", "steps.4.when_unmet"),
        ("unknown-field", "steps.4.flow"),
        ("missing-field", "steps.5.flow"),
        ("missing-field", "schedules.0.cron"),
        ("unknown-field", "schedules.0.crn"),
        ("unknown-field", "owner"),
    ]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "This field is required; add it."),
        ({"slug": "a", "x": 1}, "There is no such field here; remove it."),
        ({"slug": "a", "steps": {}}, "Input should be a list; got {}."),
        ({"slug": "a", "tags": []}, "Input should be an object; got []."),
        (
            {"slug": "a", "steps": [{"type": "loops", "slug": "l"}]},
            (
                '"loops" is not a type of step; "loop" may be meant; use one of: single, map,'
                " subflow, branch, join, loop, approval, wait, sleep."
            ),
        ),
        (
            {"slug": "a", "steps": [{"slug": "l"}]},
            (
                "The step has no type; use one of: single, map, subflow, branch, join, loop,"
                " approval, wait, sleep."
            ),
        ),
    ],
)
def test_the_sentence_says_what_to_do(document: Any, message: str) -> None:
    assert [found for _, _, found in problems_of(document)] == [message]


@pytest.mark.parametrize("field", ["input_schema", "output_schema"])
@pytest.mark.parametrize("text", ["int", "__import__('pathlib').Path('MARK').touch()"])
def test_text_in_a_document_is_never_run_as_python(
    field: str, text: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert [code for code, _, _ in problems_of({"slug": "a", field: text})] == ["wrong-value"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [5, True, [1], 0, ""])
@pytest.mark.parametrize("field", ["input_schema", "output_schema"])
def test_a_schema_that_is_no_object_is_a_problem(field: str, value: Any) -> None:
    assert [path for _, path, _ in problems_of({"slug": "a", field: value})] == [field]


def test_options_beside_options_are_merged() -> None:
    flow = parse_flow({"slug": "a", "options": {"timeout": 5}, "max_attempts": 2})
    assert flow == Flow("a", timeout=5, max_attempts=2)
    assert [p for _, p, _ in problems_of({"slug": "a", "options": 5, "max_attempts": 2})] == [
        "options"
    ]


def test_a_huge_or_deep_value_is_shortened_in_the_message() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    for steps in (deep, [["x"] * 100_000], "x" * 100_000):
        [(_, _, message)] = problems_of({"slug": "a", "steps": steps})
        assert len(message) < 300


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5) | st.integers() | st.none(), inner, max_size=3)
    ),
    max_leaves=6,
)


def places_in(document: Any) -> list[tuple[Any, ...]]:
    """Return the path of every value inside a document."""
    pairs: list[tuple[Any, Any]] = (
        list(document.items())
        if isinstance(document, dict)
        else list(enumerate(document))
        if isinstance(document, list)
        else []
    )
    return [(key, *rest) for key, value in pairs for rest in [(), *places_in(value)]]


def broken(place: tuple[Any, ...], change: Callable[[Any, Any], None]) -> Any:
    document = copy.deepcopy(GOOD)
    holder: Any = document
    for key in place[:-1]:
        holder = holder[key]
    change(holder, place[-1])
    return document


def reads_or_refuses(document: Any) -> None:
    with suppress(InvalidFlow):
        validate(parse_flow(document), {})


@given(anything)
def test_no_document_causes_a_traceback(document: Any) -> None:
    reads_or_refuses(document)


@given(st.sampled_from(places_in(GOOD)), anything)
def test_no_wrong_value_causes_a_traceback(place: tuple[Any, ...], value: Any) -> None:
    reads_or_refuses(broken(place, lambda holder, key: holder.__setitem__(key, value)))


@given(st.sampled_from(places_in(GOOD)))
def test_no_missing_value_causes_a_traceback(place: tuple[Any, ...]) -> None:
    reads_or_refuses(broken(place, lambda holder, key: holder.__delitem__(key)))


@pytest.mark.parametrize(
    ("written", "meant"), [("on_error", "on_failure"), ("for_each", "over"), ("mapping", "input")]
)
def test_what_others_call_the_fields_of_a_subflow_is_told(written: str, meant: str) -> None:
    step = {"type": "subflow", "slug": "s", "flow": "child", written: "x"}
    with pytest.raises(InvalidFlow, match=f'"{meant}" may be meant'):
        parse_flow({"slug": "f", "steps": [step]})

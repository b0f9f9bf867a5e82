"""Whatever a text from outside holds, it ends quickly: with values, or with sentences about it."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_pgflow import read_workflow
from dagster_pgflow.dsl.document import read_flow_file
from dagster_pgflow.dsl.flow_text import flow_text
from dagster_pgflow.dsl.reading.bounds import MOST_VALUES
from dagster_pgflow.dsl.reading.json_text import read_json
from dagster_pgflow.dsl.reading.unreadable import Unreadable
from dagster_pgflow.dsl.reading.yaml_text import read_yaml
from dagster_pgflow.errors import MOST_PROBLEMS, InvalidFlow, Problem
from dagster_pgflow.limits import MOST_DIGITS, MOST_LEVELS
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.lint.lint import lint
from dagster_pgflow.validation.validate import validate
from tests.hostile_json import texts
from tests.hostile_texts import JSON_TEXTS, YAML_TEXTS, misfilled, torn


def look_at(flow: Flow) -> None:
    """Does with a flow what `validate` and `export` do; none of it may raise."""
    for problem in [*validate(flow), *lint(flow)]:
        assert str(problem).encode()
    text = flow_text([flow], "json")
    assert json.loads(text)
    assert flow_text([flow], "yaml").encode()


def flows_of(folder: Path, name: str, text: str) -> None:
    file = folder / name
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    found = read_flow_file(file)
    assert found.flows or found.problems
    for problem in found.problems:
        assert isinstance(problem, Problem)
        assert str(problem).encode()
    for flow in found.flows:
        look_at(flow)


@given(torn(YAML_TEXTS) | torn(JSON_TEXTS))
def test_any_yaml_file_is_flows_or_problems(tmp_path: Path, text: str) -> None:
    flows_of(tmp_path, "any.yaml", text)


@given(torn(JSON_TEXTS) | misfilled())
def test_any_json_file_is_flows_or_problems(tmp_path: Path, text: str) -> None:
    flows_of(tmp_path, "any.json", text)


@given(torn(YAML_TEXTS) | torn(JSON_TEXTS) | misfilled())
def test_any_text_is_a_workflow_or_problems(text: str) -> None:
    try:
        flow = read_workflow(text, slug="any")
    except InvalidFlow as reason:
        refused = reason
    else:
        look_at(flow)
        return
    assert refused.problems
    assert str(refused).encode()


@given(torn(JSON_TEXTS) | misfilled() | texts | st.text())
def test_any_json_is_a_value_or_a_sentence(text: str) -> None:
    try:
        value = read_json(text)
    except Unreadable as reason:
        refused = reason
    else:
        assert json.dumps(value, allow_nan=False).encode()
        return
    assert refused.place == "$" or refused.place.startswith("line ")
    assert str(refused).endswith(".")


def laughs(count: int) -> str:
    """Returns lists of nine aliases each, of lists of nine aliases each, and so on."""
    more = (f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]" for n in range(count))
    return "\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x]", *more])


def merges(count: int) -> str:
    """Returns objects that take over the one before them twice each."""
    more = (f"- &a{n + 1} {{<<: [*a{n}, *a{n}], k{n + 1}: 1}}" for n in range(count))
    return "\n".join(["- &a0 {k0: 1}", *more])


TOO_DEEP = f"This is nested more than {MOST_LEVELS} levels deep; make it flatter."
TOO_LONG = "has more than 1,000 digits; make it a text."
TOO_MANY = f"From here on, the text holds more than {MOST_VALUES:,} values."


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (laughs(10), "line 6, column 40", TOO_MANY),
        (merges(3000), "line 16, column 20", TOO_MANY),
        ("&a [*a]", "line 1, column 5", "*a refers to a value that contains it."),
        ("x: &a {y: [*a]}", "line 1, column 12", "*a refers to a value that contains it"),
        ("&a {<<: *a}", "line 1, column 9", "*a refers to a value that contains it"),
        ("x: *b", "line 1, column 4", "*b refers to nothing; there is no &b before it."),
        ("{<<: [1]}", "line 1, column 9", "<< needs an object, or a list of objects."),
        ("- " * 101 + "x", "line 1, column 201", TOO_DEEP),
        ("[" * 900 + "]" * 900, "line 1, column 101", TOO_DEEP),
        ("- &a " + "[" * 60 + "]" * 60 + "\n- " + "[" * 60 + "*a" + "]" * 60, "line 2", TOO_DEEP),
        ("[" * 9_000_000, "line 1", "This is not YAML: exceeded maximum nesting depth."),
        (f"x: {'9' * 5001}", "line 1, column 4", TOO_LONG),
        (f"x: 0x{'f' * 999}", "line 1, column 4", TOO_LONG),
        ("x: .inf", "line 1, column 4", ".inf is not a JSON number; leave it out, or write null."),
        ("x: !!int one", "line 1, column 4", "'one' is no int; leave out its tag."),
        ("x: !!python/name:os.system y", "line 1, column 4", "leave out the tag !!python/name:"),
        ("x: !!set {a}", "line 1, column 4", "leave out the tag !!set"),
        ("x: !!binary aGk=", "line 1, column 4", "leave out the tag !!binary"),
        ("? [a]\n: b", "line 1, column 5", "A key must be a text, not a list or an object."),
        ('x: "\\0"', "line 1, column 4", "The text has a NUL character"),
        ("x: \ud800", "$", "The text has a lone surrogate"),
    ],
)
def test_yaml_beyond_the_bounds_is_refused_where_it_begins(
    text: str, place: str, message: str
) -> None:
    with pytest.raises(Unreadable) as refused:
        read_yaml(text)
    assert refused.value.place.startswith(place)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("[" * 900 + "]" * 900, "line 1, column 101", TOO_DEEP),
        ("[" * 9_000_000, "line 1, column 101", TOO_DEEP),
        ('{"x":\n' * 101 + "1" + "}" * 101, "line 101, column 1", TOO_DEEP),
        (f'{{"x": [1,\n {"9" * 5001}]}}', "line 2, column 2", TOO_LONG),
        (f'{{"x": 0.{"9" * 5001}}}', "line 1, column 7", TOO_LONG),
        ('["1e999", 1e999]', "line 1, column 11", "1e999 is larger than any"),
        ('{"x": [-Infinity]}', "line 1, column 8", "-Infinity is not a JSON value"),
        ('{"a": {"x": 1},\n "b": "x:", "a": 2}', "line 2, column 13", 'The key "a" appears twice'),
        ('{"x": "\\ud800"}', "line 1, column 7", "The text has a lone surrogate"),
        ('["\\u0041", "\\u0000"]', "line 1, column 12", "The text has a NUL character"),
        ("[" + "0," * MOST_VALUES + "0]", f"line 1, column {2 * MOST_VALUES}", TOO_MANY),
        ('["\udc00"]', "line 1, column 2", "The text has a lone surrogate"),
    ],
)
def test_json_beyond_the_bounds_is_refused_where_it_begins(
    text: str, place: str, message: str
) -> None:
    with pytest.raises(Unreadable) as refused:
        read_json(text)
    assert refused.value.place == place
    assert message in str(refused.value)


def test_what_is_just_within_the_bounds_is_read() -> None:
    deep = "[" * MOST_LEVELS + "]" * MOST_LEVELS
    long = "9" * MOST_DIGITS
    assert read_json(f"[1, {deep[1:-1]}, -{long}]") == read_yaml(f"[1, {deep[1:-1]}, -{long}]")[0]
    assert len(read_json(json.dumps([0] * (MOST_VALUES + 1)), is_counted=False)) > MOST_VALUES


def test_yaml_says_what_json_says() -> None:
    text = "{a: 2026-01-31, b: 12:30, c: 1_000, d: 0x1F, e: yes, f: ~, g: =, h: !!str 7, i: 1.5}"
    assert read_yaml(text) == [
        {
            "a": "2026-01-31",
            "b": "12:30",
            "c": 1000,
            "d": 31,
            "e": True,
            "f": None,
            "g": "=",
            "h": "7",
            "i": 1.5,
        }
    ]


def test_an_object_takes_over_others_the_first_of_them_first() -> None:
    text = "- &a {x: 1, y: 1}\n- &b {x: 2, z: 2}\n- {<<: [*a, *b], y: 3}\n- {'<<': 4}\n"
    assert read_yaml(text)[0][2:] == [{"x": 1, "z": 2, "y": 3}, {"<<": 4}]


def test_more_problems_than_anybody_reads_are_not_all_told(tmp_path: Path) -> None:
    (tmp_path / "flow.json").write_text(json.dumps({"slug": "a", "steps": [7] * 100_000}))
    (tmp_path / "list.json").write_text(json.dumps([7] * 100_000))
    (tmp_path / "nodes.json").write_text(json.dumps({"nodes": [7] * 100_000, "edges": []}))
    for name in ("flow.json", "list.json", "nodes.json"):
        problems = read_flow_file(tmp_path / name).problems
        assert len(problems) == MOST_PROBLEMS + 1
        assert problems[-1].code == "more-problems"

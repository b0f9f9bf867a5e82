import json
from typing import Any

import pytest

from tests.postgres import Session

PERSON = {
    "$defs": {
        "Address": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
        "Node": {"properties": {"next": {"$ref": "#/$defs/Node"}, "n": {"type": "integer"}}},
    },
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer"},
        "size": {"type": ["number", "null"]},
        "nick": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "kind": {"enum": ["a", "b"]},
        "fixed": {"const": 1},
        "address": {"$ref": "#/$defs/Address"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "node": {"$ref": "#/$defs/Node"},
        "all": {"allOf": [{"type": "object"}, {"required": ["x"]}]},
    },
    "required": ["name"],
    "additionalProperties": False,
}


def problem(sql: Session, value: Any, schema: Any = PERSON) -> str | None:
    text = json.dumps(schema)
    found: str | None = sql.value(
        "select pgflow.schema_problem(%s, %s, %s, 'input')", json.dumps(value), text, text
    )
    return found


def test_values_that_fit_have_no_problem(sql: Session) -> None:
    fitting: list[dict[str, Any]] = [
        {"name": "x"},
        {"name": "", "age": 3, "size": None, "nick": None, "kind": "b", "fixed": 1},
        {"name": "x", "age": 3.0, "size": 1.5, "address": {"city": "Oslo", "more": 1}},
        {"name": "x", "tags": [], "node": {"next": {"next": {"n": 1}}}, "all": {"x": None}},
    ]
    assert [problem(sql, value) for value in fitting] == [None] * len(fitting)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([], "input is array, but must be object"),
        ({}, 'input lacks the key "name"'),
        ({"name": "x", "nmae": 1}, 'input has the unknown key "nmae"'),
        ({"name": None}, "input.name is null, but must be string"),
        ({"name": "x", "age": 3.5}, "input.age is number, but must be integer"),
        ({"name": "x", "age": True}, "input.age is boolean, but must be integer"),
        ({"name": "x", "size": "1"}, "input.size is string, but must be number or null"),
        (
            {"name": "x", "nick": 1},
            "input.nick is number, but must be string; or input.nick is number, but must be null",
        ),
        ({"name": "x", "kind": "c"}, 'input.kind must be one of ["a", "b"]'),
        ({"name": "x", "fixed": 2}, "input.fixed must be 1"),
        ({"name": "x", "address": {}}, 'input.address lacks the key "city"'),
        ({"name": "x", "tags": ["a", 1]}, "input.tags[1] is number, but must be string"),
        (
            {"name": "x", "node": {"next": {"next": {"n": ""}}}},
            "input.node.next.next.n is string, but must be integer",
        ),
        ({"name": "x", "all": {}}, 'input.all lacks the key "x"'),
    ],
)
def test_values_that_do_not_fit_are_told_where_and_why(
    sql: Session, value: Any, expected: str
) -> None:
    assert problem(sql, value) == expected


@pytest.mark.parametrize(
    "schema",
    [
        {},
        True,
        {"$ref": "#"},
        {"$ref": "https://example.com/schema.json"},
        {"$ref": "#/$defs/missing"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
        {"type": "string", "$ref": "#/$defs/a", "$defs": {"a": {}}},
        {"not": {"type": "object"}},
        {"oneOf": [{}, {}]},
        {"minimum": 5, "pattern": "x", "if": {}, "then": False},
        {"properties": [], "required": {}, "items": 3, "enum": 1, "allOf": {}, "anyOf": 1},
        {"prefixItems": [{"type": "string"}], "items": {"type": "string"}},
        {"patternProperties": {"^x": {}}, "additionalProperties": False},
    ],
)
def test_what_it_does_not_know_it_lets_through(sql: Session, schema: Any) -> None:
    assert problem(sql, {"x": 1}, schema) is None
    assert problem(sql, [1], schema) is None


@pytest.mark.parametrize("word", ["allOf", "anyOf", "oneOf"])
def test_a_schema_whose_parts_double_is_given_up(sql: Session, word: str) -> None:
    parts: dict[str, Any] = {
        f"d{level}": {word: [{"$ref": f"#/$defs/d{level + 1}"}] * 2} for level in range(20)
    }
    # With `object` the first choice of anyOf would be enough.
    schema = {"$defs": {**parts, "d20": {"type": "array"}}, "$ref": "#/$defs/d0"}
    fitting = {"$defs": {**parts, "d20": {"type": "object"}}, "$ref": "#/$defs/d0"}
    sql("set statement_timeout to '60s'")
    assert problem(sql, {}, fitting) is None
    told = problem(sql, {}, schema)
    assert told is None or (word == "allOf" and told == "input is object, but must be array")


def test_a_list_of_choices_is_not_compared_with_every_element_of_a_long_list(sql: Session) -> None:
    schema = {"items": {"enum": [{"n": number} for number in range(3_000)]}}
    sql("set statement_timeout to '60s'")
    assert problem(sql, [{"n": 0}] * 3_000, schema) is None
    assert problem(sql, [{"n": -1}], schema) is not None

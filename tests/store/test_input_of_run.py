"""The input of a run is what was asked for, laid over the defaults of the input schema."""

import json
from typing import Any

import pytest
from hypothesis import given, settings

from dagster_pgflow.model.defaults import MOST_INSIDE, UNASKED, input_of_run
from tests.drawn_schemas import SCHEMAS, VALUES
from tests.postgres import Session

LEVEL = {"type": "string", "default": "info"}
OPTIONS = {
    "$defs": {
        "Level": LEVEL,
        "Log": {
            "type": "object",
            "properties": {"level": {"$ref": "#/$defs/Level"}, "file": {"type": "string"}},
        },
    },
    "type": "object",
    "properties": {
        "n": {"type": "integer", "default": 3},
        "log": {"$ref": "#/$defs/Log", "default": {}},
        "rows": {"type": "array", "items": {"properties": {"qty": {"default": 1}}}},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "one": {"anyOf": [{"properties": {"x": {"default": 1}}}]},
    },
}
DEFAULTS = {"n": 3, "log": {"level": "info"}, "note": None}
NODE = {"properties": {"next": {"$ref": "#/$defs/Node", "default": {}}}}
ENDLESS = {"$defs": {"Node": NODE}, "$ref": "#/$defs/Node"}
LIST = {"type": "array", "default": [{}], "items": {"properties": {"x": {"default": 0}}}}


def doubling(levels: int) -> dict[str, Any]:
    """A schema of a few lines whose defaults are 2 to the power of so many."""
    defs: dict[str, Any] = {
        f"T{level}": {
            "properties": {
                side: {"$ref": f"#/$defs/T{level + 1}", "default": {}} for side in ("a", "b")
            }
        }
        for level in range(levels)
    }
    return {"$defs": {**defs, f"T{levels}": {}}, "$ref": "#/$defs/T0"}


def in_sql(sql: Session, asked: Any, schema: Any) -> Any:
    given = None if asked is UNASKED else json.dumps(asked)
    return sql.value("select pgflow.input_of_run(%s, %s)", given, json.dumps(schema))


CASES: list[tuple[Any, Any, Any]] = [
    ({}, UNASKED, {}),
    ({}, None, None),
    (OPTIONS, UNASKED, DEFAULTS),
    (OPTIONS, {}, DEFAULTS),
    (OPTIONS, {"n": None}, DEFAULTS | {"n": None}),
    (OPTIONS, {"log": {}, "n": 1}, DEFAULTS | {"n": 1}),
    (OPTIONS, {"log": {"level": 0}}, DEFAULTS | {"log": {"level": 0}}),
    (OPTIONS, {"log": "off"}, DEFAULTS | {"log": "off"}),
    (OPTIONS, {"rows": [{}, {"qty": 0}, 7]}, DEFAULTS | {"rows": [{"qty": 1}, {"qty": 0}, 7]}),
    (OPTIONS, {"one": {}, "more": {}}, DEFAULTS | {"one": {}, "more": {}}),
    (OPTIONS, [{}], [{}]),
    (OPTIONS, "text", "text"),
    (LIST, UNASKED, [{"x": 0}]),
    (LIST, {}, {}),
    ({"default": None}, UNASKED, None),
    ({"$ref": "#/$defs/a", "$defs": {"a": {"default": 1}}}, UNASKED, 1),
    (
        {"properties": {"a": {"$ref": "#/$defs/a", "default": 1}}, "$defs": {"a": LEVEL}},
        {},
        {"a": 1},
    ),
    ({"allOf": [{"properties": {"x": {"default": 1}}}]}, {}, {}),
    ({"if": {}, "then": {"properties": {"x": {"default": 1}}}}, {}, {}),
    ({"properties": {"a": {"properties": {"b": {"default": 1}}}}}, {}, {}),
    (ENDLESS, {}, {}),
    (ENDLESS, {"next": {"next": 7}}, {"next": {"next": 7}}),
    ({"$ref": "#", "default": 5}, UNASKED, 5),
    (doubling(40), {"x": 1}, {"x": 1}),
]


@pytest.mark.parametrize(("schema", "asked", "wanted"), CASES)
def test_an_input_is_laid_over_the_defaults_alike_in_sql_and_in_python(
    sql: Session, schema: Any, asked: Any, wanted: Any
) -> None:
    assert input_of_run(schema, asked) == wanted
    assert in_sql(sql, asked, schema) == wanted


@pytest.mark.parametrize(("levels", "are_filled"), [(8, True), (9, False)])
def test_a_default_has_a_bounded_number_of_defaults_inside(
    sql: Session, levels: int, are_filled: bool
) -> None:
    schema = {**doubling(levels), "$ref": None, "properties": {"t": {"$ref": "#/$defs/T0"}}}
    del schema["$ref"]
    schema["properties"]["t"]["default"] = {}
    assert (2 ** (levels + 1) - 1 <= MOST_INSIDE) is are_filled
    found = input_of_run(schema, {})
    assert bool(found) is are_filled
    assert in_sql(sql, {}, schema) == found


def test_who_changes_an_input_changes_no_default() -> None:
    schema = {"default": {"n": [0]}, "properties": {"m": {"default": [0]}}}
    before = json.loads(json.dumps(schema))
    found = input_of_run(schema)
    found["n"].append(1)
    found["m"].append(1)
    assert schema == before


@settings(
    max_examples=150,
)
@given(schema=SCHEMAS, asked=VALUES)
def test_sql_and_python_lay_any_input_over_any_schema_alike_and_once_is_enough(
    sql: Session, schema: dict[str, Any], asked: Any
) -> None:
    found = input_of_run(schema, asked)
    assert in_sql(sql, asked, schema) == found
    assert input_of_run(schema, found) == found
    assert in_sql(sql, UNASKED, schema) == input_of_run(schema)

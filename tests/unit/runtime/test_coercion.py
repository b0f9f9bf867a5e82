"""Numbers without a fraction become integers, where a schema says integer and nothing is lost."""

import json
from typing import Any

import pytest

from dagster_pgflow.runtime.coercion import coerced

INTEGER = {"type": "integer"}
TREE: dict[str, Any] = {
    "$defs": {"node": {"properties": {"n": INTEGER, "inner": {"$ref": "#/$defs/node"}}}},
    "$ref": "#/$defs/node",
}
ITSELF: dict[str, Any] = {"$ref": "#", "allOf": [{"$ref": "#"}, {"type": ["integer", "null"]}]}


@pytest.mark.parametrize(
    ("schema", "value", "wanted"),
    [
        (INTEGER, 949.0, 949),
        (INTEGER, 949.5, 949.5),
        (INTEGER, 1e300, 1e300),
        (INTEGER, float("inf"), float("inf")),
        (INTEGER, "949.0", "949.0"),
        (INTEGER, True, True),
        ({"type": "number"}, 949.0, 949.0),
        ({"type": "number"}, 949, 949),
        ({}, 949.0, 949.0),
        ({"anyOf": [{"type": "string"}, INTEGER]}, 2.0, 2),
        ({"if": {}, "then": INTEGER}, 2.0, 2),
        ({"items": INTEGER}, [1.0, 2.5, "x"], [1, 2.5, "x"]),
        ({"prefixItems": [{}, INTEGER], "items": {}}, [1.0, 1.0, 1.0], [1.0, 1, 1.0]),
        ({"additionalProperties": INTEGER, "properties": {"a": {}}}, {"a": 1.0, "b": 1.0}, None),
        (TREE, {"n": 1.0, "m": 1.0, "inner": {"n": 2.0}}, {"n": 1, "m": 1.0, "inner": {"n": 2}}),
        (ITSELF, 3.0, 3),
        ({"$ref": "https://example.org/x"}, 3.0, 3.0),
        ({"$ref": "#/nowhere/at/all"}, 3.0, 3.0),
        ({"properties": 5, "items": 5, "anyOf": 5, "type": 5}, {"a": [1.0]}, {"a": [1.0]}),
    ],
    ids=str,
)
def test_floats_that_are_whole_become_integers(
    schema: dict[str, Any], value: Any, wanted: Any
) -> None:
    wanted = {"a": 1.0, "b": 1} if wanted is None else wanted
    # As text, because 1 == 1.0 in Python.
    assert json.dumps(coerced(schema, value)) == json.dumps(wanted)


def test_a_schema_that_doubles_itself_is_looked_at_once_for_each_value() -> None:
    double: dict[str, Any] = {"$defs": {"d0": INTEGER}}
    for level in range(1, 40):
        inner = {"$ref": f"#/$defs/d{level - 1}"}
        double["$defs"][f"d{level}"] = {"allOf": [inner, inner]}
    double["$ref"] = "#/$defs/d39"
    assert str(coerced(double, 7.0)) == "7"

"""A schema that asks for endless work is told so; every other means what it always meant."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from dagster_pgflow import Flow
from dagster_pgflow.runtime.inputs import breach
from dagster_pgflow.validation.bounded_schemas import TooMuchWork, breaches
from dagster_pgflow.validation.schemas import schemas_are_json_schemas
from tests.unit.validation.problems import problems_found


def doubling(word: str, levels: int = 40) -> dict[str, Any]:
    """Return a schema of 40 parts, each of which names the next one twice."""
    parts: dict[str, Any] = {
        f"d{level}": {word: [{"$ref": f"#/$defs/d{level + 1}"}] * 2} for level in range(levels)
    }
    return {"$defs": {**parts, f"d{levels}": {"type": "object"}}, "$ref": "#/$defs/d0"}


@pytest.mark.parametrize(
    "schema",
    [
        doubling("allOf"),
        doubling("oneOf"),
        {"$ref": "#"},
        {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]},
        {"not": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}},
        {"unevaluatedProperties": False, **doubling("allOf")},
    ],
    ids=["allOf", "oneOf", "circle", "circles", "not", "unevaluated"],
)
def test_a_schema_that_never_comes_to_an_end_is_told(schema: dict[str, Any]) -> None:
    told = breach(schema, {"a": 1})
    assert told is not None
    assert "it asks for too much work for this value" in told


@pytest.mark.parametrize(
    ("schema", "fits"),
    [
        ({"properties": {"x": {"pattern": "^(a+)+$"}}}, False),
        ({"patternProperties": {"^(a+)+$": False}}, True),
        ({"patternProperties": {"^(a+)+$": {}}, "additionalProperties": False}, False),
        ({"propertyNames": {"pattern": "^(a|a)*$"}}, False),
    ],
)
def test_no_pattern_is_searched_for_ever(schema: dict[str, Any], fits: bool) -> None:
    long = "a" * 60 + "!"
    assert (breach(schema, {"x": long, long: 1}) is None) == fits


def test_unique_items_of_many_objects_are_found_in_one_go() -> None:
    many = [{"n": number} for number in range(20_000)]
    assert breach({"uniqueItems": True}, many) is None
    assert breach({"uniqueItems": True}, [*many, {"n": 7.0}]) is not None


def test_a_large_value_may_ask_for_more_work_than_a_small_one() -> None:
    item = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 0}}}
    rows = [{"n": number} for number in range(50_000)]
    assert breach({"type": "array", "items": item}, rows) is None


@pytest.mark.parametrize("pattern", ["(?!x)a", "(?<=x)a", r"(a)\1", "a{1001}", "(a{1000}){9}"])
def test_a_pattern_that_cannot_be_used_is_a_problem(pattern: str) -> None:
    schema = {"$defs": {"x": {"items": {"anyOf": [{"pattern": pattern}]}}}}
    [(code, place, message)] = problems_found(
        schemas_are_json_schemas, Flow("f", input_schema=schema).step("a")
    )
    assert (code, place) == ("unusable-pattern", "input_schema")
    assert f"The pattern `{pattern}` cannot be used" in message
    by_name: dict[str, Any] = {"patternProperties": {pattern: {}}}
    assert problems_found(schemas_are_json_schemas, Flow("f", output_schema=by_name).step("a"))


def test_what_is_data_in_a_schema_is_no_pattern() -> None:
    schema = {"default": {"pattern": "("}, "properties": {"pattern": {"const": {"pattern": "("}}}}
    assert problems_found(schemas_are_json_schemas, Flow("f", input_schema=schema).step("a")) == []


def test_a_part_that_names_another_schema_is_bounded_too() -> None:
    doubling: Any = {"type": "string"}
    defs = {"T0": doubling}
    for level in range(40):
        reference = {"$ref": f"#/$defs/T{level}"}
        defs[f"T{level + 1}"] = {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "allOf": [reference, reference],
        }
    with pytest.raises(TooMuchWork):
        list(breaches({"$defs": defs, "allOf": [{"$ref": "#/$defs/T40"}]}, "text"))


TEXTS = st.text("ab1", max_size=3)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from([0.0, 1.0, 1.5]) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
PATTERNS = st.sampled_from(["^a", "b$", "1", "^[ab]+$", "^$", "a.*b", "(a|b)1"])


def parts_of(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    named = st.dictionaries(TEXTS, inner, max_size=2)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array", "string", "integer", "number"]),
            "pattern": PATTERNS,
            "properties": named,
            "patternProperties": st.dictionaries(PATTERNS, inner, max_size=2),
            "additionalProperties": st.booleans() | inner,
            "uniqueItems": st.booleans(),
            "items": inner,
            "required": st.lists(TEXTS, max_size=2, unique=True),
            "enum": st.lists(VALUES, max_size=3),
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
            "propertyNames": inner,
        },
    )


SCHEMAS: st.SearchStrategy[Any] = st.recursive(st.booleans() | st.just({}), parts_of, max_leaves=6)


@settings(max_examples=400)
@given(SCHEMAS, VALUES)
def test_bounds_change_no_verdict(schema: Any, value: Any) -> None:
    plain = Draft202012Validator(schema)
    assert bool(list(breaches(schema, value))) == (not plain.is_valid(value))

"""What is filled into an input fits its schema, and comes to an end."""

from typing import Any

import pytest
from hypothesis import given, settings

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.defaults import defaults_fit_and_end
from tests.calls import calls_of
from tests.drawn_schemas import SCHEMAS
from tests.unit.validation.problems import places, problems_found

NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node", "default": {}}}}


def flow(schema: Any) -> Flow:
    return Flow("f", input_schema=schema).step("a")


@pytest.mark.parametrize(
    "schema",
    [
        None,
        {},
        {"default": {}},
        {"properties": {"n": {"type": "integer", "default": 1.0}}},
        {"properties": {"n": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}}},
        {
            "properties": {"o": {"$ref": "#/$defs/o", "default": {}}},
            "$defs": {"o": {"required": ["x"], "properties": {"x": {"default": 1}}}},
        },
        {"properties": {"n": {"$ref": "https://example.org/n", "default": "x"}}},
        {"anyOf": [{"properties": {"n": {"type": "integer", "default": "x"}}}]},
        {"$defs": {"unused": {"type": "integer", "default": "x"}}},
    ],
)
def test_defaults_that_fit_or_are_never_used_are_no_problem(schema: Any) -> None:
    assert problems_found(defaults_fit_and_end, flow(schema)) == []


@pytest.mark.parametrize(
    ("schema", "path", "words"),
    [
        (
            {"properties": {"n": {"type": "integer", "default": "x"}}},
            "input_schema.properties.n.default",
            "'x' is not of type 'integer'",
        ),
        (
            {"type": "array", "default": {}},
            "input_schema.default",
            "{} is not of type 'array'",
        ),
        (
            {"items": {"properties": {"a": {"enum": [1], "default": 2}}}},
            "input_schema.items.properties.a.default",
            "2 is not one of [1]",
        ),
        (
            {
                "properties": {"o": {"$ref": "#/$defs/o"}},
                "$defs": {"o": {"properties": {"x": {"maximum": 3, "default": 4}}}},
            },
            "input_schema.$defs.o.properties.x.default",
            "4 is greater than the maximum of 3",
        ),
        (
            {"properties": {"o": {"properties": {"x": {}}, "required": ["x"], "default": {}}}},
            "input_schema.properties.o.default",
            "'x' is a required property",
        ),
    ],
)
def test_a_default_that_breaks_its_own_schema_is_told_with_its_place(
    schema: Any, path: str, words: str
) -> None:
    [problem] = defaults_fit_and_end(flow(schema), {})
    assert (problem.code, problem.path) == ("invalid-default", path)
    assert words in problem.message


@pytest.mark.parametrize(
    "schema",
    [
        {"$defs": {"Node": NODE}, "$ref": "#/$defs/Node"},
        {"$defs": {"Node": NODE}, "properties": {"n": {"$ref": "#/$defs/Node"}}},
    ],
)
def test_defaults_that_never_end_are_told(schema: Any) -> None:
    told = places(defaults_fit_and_end, flow(schema))
    assert told == [("endless-default", "input_schema.$defs.Node.properties.next.default")]


def test_a_schema_that_asks_for_work_without_end_is_not_looked_at_without_end() -> None:
    defs: dict[str, Any] = {"T40": {}}
    for level in range(40):
        reference = {"$ref": f"#/$defs/T{level + 1}"}
        defs[f"T{level}"] = {
            "allOf": [reference, reference],
            "properties": {"a": {**reference, "default": {}}, "b": {**reference, "default": {}}},
        }
    fields = {f"p{n}": {"$ref": "#/$defs/T0", "default": {}} for n in range(100)}
    endless = flow({"$defs": defs, "properties": fields})
    assert calls_of(lambda: problems_found(defaults_fit_and_end, endless)) < 30_000_000


@settings(max_examples=100)
@given(schema=SCHEMAS)
def test_whatever_stands_in_a_schema_is_looked_at_without_an_error(schema: Any) -> None:
    problems_found(defaults_fit_and_end, flow(schema))

from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.schemas import schemas_are_json_schemas
from tests.unit.validation.problems import places, problems_found


@pytest.mark.parametrize(
    "schema",
    [{}, {"type": "object", "required": ["id"]}, {"$ref": "#/$defs/a", "$defs": {"a": True}}],
)
def test_a_json_schema_is_no_problem(schema: dict[str, Any]) -> None:
    flow = Flow("f", input_schema=schema, output_schema=schema)
    assert problems_found(schemas_are_json_schemas, flow) == []


def test_a_problem_is_named_where_it_stands() -> None:
    flow = Flow(
        "f",
        input_schema={"properties": {"id": {"type": "strin"}}},
        output_schema={"required": "id"},
    )
    assert places(schemas_are_json_schemas, flow) == [
        ("invalid-schema", "input_schema.properties.id.type"),
        ("invalid-schema", "output_schema.required"),
    ]


def test_a_pattern_must_be_a_regular_expression() -> None:
    flow = Flow("f", input_schema={"pattern": "("})
    message = "This is not a JSON Schema: '(' is not a 'regex'."
    assert problems_found(schemas_are_json_schemas, flow) == [
        ("invalid-schema", "input_schema.pattern", message)
    ]


def test_a_schema_that_is_nested_without_end_is_a_problem_and_no_crash() -> None:
    schema: dict[str, Any] = {}
    for _ in range(10_000):
        schema = {"not": schema}
    flow = Flow("f", input_schema=schema)
    assert places(schemas_are_json_schemas, flow) == [("invalid-schema", "input_schema")]

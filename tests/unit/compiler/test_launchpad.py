"""What stands in the launchpad before somebody types."""

from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from dagster_pgflow.compiler.launchpad import example_input
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.runtime.inputs import breach
from dagster_pgflow.validation.schemas import schemas_are_json_schemas


class Card(BaseModel):
    number: str = Field(examples=["4111"])
    kind: Literal["debit", "credit"]


class Order(BaseModel):
    order_id: int
    card: Card
    lines: list[str]
    paid: bool
    rate: float
    note: str | None
    country: str = "DE"


class Tree(BaseModel):
    children: "list[Tree]"
    parent: "Tree | None"


@pytest.mark.parametrize(
    ("flow", "expected"),
    [
        (Flow("f"), {}),
        (Flow("f").step("a"), {}),
        (Flow("f").map("m"), []),
        (Flow("f").map("m").map("n").step("a", depends_on="m"), []),
        (Flow("f").map("m").step("a"), {}),
    ],
)
def test_without_a_schema_the_first_steps_tell_the_shape(flow: Flow, expected: Any) -> None:
    assert example_input(flow) == expected


def test_a_model_tells_each_field_that_must_be_there() -> None:
    assert example_input(Flow("f", input_schema=Order)) == {
        "order_id": 0,
        "card": {"number": "4111", "kind": "debit"},
        "lines": [],
        "paid": False,
        "rate": 0.0,
        "note": "",
    }


@pytest.mark.parametrize("schema", [Order, Card, list[Order], Order | Card, int | None])
def test_the_example_fits_the_schema(schema: Any) -> None:
    flow = Flow("f", input_schema=schema)
    assert breach(flow.input_schema, example_input(flow)) is None


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, {}),
        ({"default": None}, None),
        ({"const": 0}, 0),
        ({"enum": [False, 1]}, False),
        ({"examples": [[1]]}, [1]),
        ({"type": "null"}, None),
        ({"type": ["string", "null"]}, ""),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 0),
        ({"oneOf": [{"const": "a"}, {"const": "b"}]}, "a"),
        ({"allOf": [{"$ref": "#/$defs/n"}], "$defs": {"n": {"type": "number"}}}, 0.0),
        ({"type": "object", "required": ["x"]}, {"x": {}}),
        ({"type": "object", "required": ["x"], "properties": {"x": True}}, {"x": {}}),
        ({"$ref": "#/$defs/nowhere"}, {}),
        ({"$ref": "https://example.org/schema"}, {}),
        ({"enum": []}, {}),
    ],
)
def test_a_schema_of_any_kind_has_an_example(schema: dict[str, Any], expected: Any) -> None:
    flow = Flow("f", input_schema=schema)
    assert list(schemas_are_json_schemas(flow, None)) == []
    assert example_input(flow) == expected


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"type": "object", "required": ["a", "b"], "properties": {"a": {"$ref": "#"}}},
        {"anyOf": [{"$ref": "#"}]},
        Tree,
    ],
)
def test_a_schema_that_contains_itself_has_an_end(schema: Any) -> None:
    assert isinstance(example_input(Flow("f", input_schema=schema)), dict)

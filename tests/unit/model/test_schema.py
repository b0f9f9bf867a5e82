"""JSON Schemas from Python types."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from dagster_pgflow.model.schema import json_schema_of


class Opaque:
    pass


class Card(BaseModel):
    number: Annotated[str, Field(pattern=r"\d+")]


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (int, {"type": "integer"}),
        (list[str], {"type": "array", "items": {"type": "string"}}),
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Card, Card.model_json_schema()),
        ({"type": "object"}, {"type": "object"}),
    ],
)
def test_a_type_that_says_something_about_json_has_a_schema(annotation: Any, schema: Any) -> None:
    assert json_schema_of(annotation) == schema


@pytest.mark.parametrize(
    "annotation", [None, Any, Opaque, list[Opaque], Callable[[], int], Iterator[int]]
)
def test_a_type_that_says_nothing_about_json_has_none(annotation: Any) -> None:
    assert json_schema_of(annotation) is None


def test_text_is_never_evaluated_as_a_type() -> None:
    with pytest.raises(TypeError, match="is text, not a type"):
        json_schema_of("__import__('os').abort()")

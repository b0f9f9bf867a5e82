"""JSON Schemas from Python types."""

from typing import Any

from pydantic import PydanticUserError, TypeAdapter


def json_schema_of(annotation: Any) -> dict[str, Any] | None:
    """Return the JSON Schema of a type, or `None` where the type says nothing about JSON.

    Args:
        annotation: A type that pydantic understands, a ready JSON Schema (returned as it is),
            `Any` or `None`.
    """
    if annotation is None or annotation is Any or isinstance(annotation, dict):
        return annotation if isinstance(annotation, dict) else None
    try:
        return TypeAdapter(annotation).json_schema()
    except PydanticUserError:
        return None

"""JSON Schemas from Python types."""

from typing import Any

from pydantic import PydanticUserError, TypeAdapter


def json_schema_of(annotation: Any) -> dict[str, Any] | None:
    """Return the JSON Schema of a type, or `None` where the type says nothing about JSON.

    Args:
        annotation: A type that pydantic understands, a ready JSON Schema (returned as it is),
            `Any` or `None`.

    Raises:
        TypeError: The annotation is text, which pydantic would evaluate as Python.
    """
    if isinstance(annotation, dict):
        return annotation
    if isinstance(annotation, str):
        raise TypeError(f"{annotation!r} is text, not a type.")
    if annotation is None or annotation is Any:
        return None
    try:
        return TypeAdapter(annotation).json_schema()
    except PydanticUserError:
        return None

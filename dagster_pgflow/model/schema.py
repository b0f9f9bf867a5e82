"""JSON Schemas from Python types, and the parts of one that others refer to."""

from collections.abc import Iterator
from typing import Any, Final, Literal
from urllib.parse import unquote

from pydantic import PydanticUserError, TypeAdapter

_MOST_REFERENCES: Final = 50


def json_schema_of(
    annotation: Any, mode: Literal["validation", "serialization"] = "validation"
) -> dict[str, Any] | None:
    """Return the JSON Schema of a type, or `None` where the type says nothing about JSON.

    Args:
        annotation: A type that pydantic understands, a ready JSON Schema (returned as it is),
            `Any` or `None`.
        mode: Whether the JSON is what a value is made of, or what it becomes: that has computed
            fields, too.

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
        return TypeAdapter(annotation).json_schema(mode=mode)
    except PydanticUserError:
        return None


def referred_schema(reference: Any, whole: Any) -> Any:
    """Return the part of a schema that a `$ref` within it names; `True` where it leads elsewhere.

    SQL does the same (`pgflow.referred_schema`), but for names that are written with `%`.

    Args:
        reference: What stands at `$ref`.
        whole: The schema.
    """
    if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
        return True
    found = whole
    for key in reference.split("/")[1:]:
        name = unquote(key).replace("~1", "/").replace("~0", "~")
        if not isinstance(found, dict) or name not in found:
            return True
        found = found[name]
    return found


def referring(schema: Any, whole: Any) -> Iterator[dict[str, Any]]:
    """Yield a part of a schema, what that refers to, and so on, as far as SQL can follow."""
    for _ in range(_MOST_REFERENCES):
        if not isinstance(schema, dict):
            return
        yield schema
        if "$ref" not in schema or "%" in str(schema["$ref"]):
            return
        schema = referred_schema(schema["$ref"], whole)


def resolved_schema(schema: Any, whole: Any) -> dict[str, Any] | None:
    """Return what a part of a schema refers to in the end; itself where it does not refer.

    What stands beside a `$ref` counts in some drafts of JSON Schema and not in others.
    """
    return next((one for one in referring(schema, whole) if "$ref" not in one), None)

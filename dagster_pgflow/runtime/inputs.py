"""Whether a flow's input fits its input schema."""

from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match


def breach(schema: dict[str, Any] | None, value: Any) -> str | None:
    """Return where and how a value breaks a JSON Schema, or `None` when it fits.

    >>> breach({"type": "object", "required": ["id"]}, {})
    "$: 'id' is a required property"
    """
    if schema is None:
        return None
    error = best_match(Draft202012Validator(schema).iter_errors(value))
    return None if error is None else f"{error.json_path}: {error.message}"

"""Whether a flow's input fits its input schema."""

from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry


def breach(schema: dict[str, Any] | None, value: Any) -> str | None:
    """Return where and how a value breaks a JSON Schema, or `None` when it fits.

    A schema may refer to parts of itself; nothing is ever fetched for it.

    >>> breach({"type": "object", "required": ["id"]}, {})
    "$: 'id' is a required property"
    """
    if schema is None:
        return None
    # With its own registry jsonschema would open the URLs, and files, that a schema names.
    validator = Draft202012Validator(schema, registry=Registry())
    try:
        error = best_match(validator.iter_errors(value))
    except Exception as mistake:  # noqa: BLE001  # jsonschema stumbles over a bad schema in any way
        reason = str(mistake).partition("\n")[0]
        return f"the schema itself cannot be used: {reason}"
    return None if error is None else f"{error.json_path}: {error.message}"

"""JSON as the text that goes to PostgreSQL."""

import json
from typing import Any

from dagster_pgflow.errors import ValueNotJson


def to_json_text(value: Any, meaning: str) -> str:
    """Return a value as JSON text.

    Args:
        value: What `json` can write; NaN and infinities are no JSON.
        meaning: What the value is, for the message: "the input of flow ...".

    Raises:
        ValueNotJson: The value has no JSON form.
    """
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueNotJson(f"{meaning} cannot be written as JSON: {error}.") from error


def to_json_text_or_null(value: Any, meaning: str) -> str | None:
    """Return a value as JSON text, and `None` as SQL null.

    Raises:
        ValueNotJson: The value has no JSON form.
    """
    return None if value is None else to_json_text(value, meaning)

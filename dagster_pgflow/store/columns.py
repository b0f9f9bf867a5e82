"""Turns rows into one list a column, which SQL unnests: one round trip for any number of rows."""

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any
from uuid import UUID

from dagster_pgflow.model.run_state import Json


def columns(kind: type, rows: Sequence[Any]) -> dict[str, list[Any]]:
    """Return the values of rows by column, as parameters.

    Args:
        kind: The dataclass of the rows.
    """
    return {
        field.name: [_parameter(getattr(row, field.name)) for row in rows] for field in fields(kind)
    }


def json_text(value: Any) -> str:
    """Return JSON as the text that PostgreSQL is given."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def _parameter(value: Any) -> Any:
    match value:
        case Json():
            return json_text(value.value)
        case UUID():
            return str(value)
        case dict():
            return json_text(value)
        case _:
            return value

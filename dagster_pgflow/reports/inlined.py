"""Which values travel in a report themselves."""

import json
from typing import Any, Final

from dagster_pgflow.model.run_state import Json

INLINE_BYTES: Final = 4096
"""Values up to this size travel in the event log, where the Dagster UI shows them."""


def json_size(value: Any) -> int:
    """Return how many bytes the JSON text of a value has."""
    return len(json.dumps(value, ensure_ascii=False).encode())


def inlined(value: Any, size: int) -> Json | None:
    """Return a value for a report, unless it is too large for one.

    Args:
        value: JSON.
        size: How many bytes its text has.
    """
    return Json(value) if size <= INLINE_BYTES else None

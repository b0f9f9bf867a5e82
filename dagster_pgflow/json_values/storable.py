"""JSON that PostgreSQL can hold."""

import math
from collections.abc import Mapping
from typing import Any


def storable(value: Any) -> Any:
    """Return JSON that PostgreSQL can hold: no NUL, no lone surrogate, no NaN."""
    match value:
        case str():
            return _storable_text(value)
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case dict() | Mapping():
            return {storable(str(key)): storable(item) for key, item in value.items()}
        case list() | tuple():
            return [storable(item) for item in value]
        case _:
            return str(value)


def _storable_text(text: str) -> str:
    if text.isascii() and "\x00" not in text:
        # Most is, and copies would cost.
        return text
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()

"""The form in which JSON values reach Dagster, so that nothing in them is ever taken for more.

Dagster 1.13 writes run config, metadata, ticks and snapshots as JSON in which some keys have a
meaning of its own: `__class__`, `__enum__`, `__set__`, `__frozenset__`, `__mapping_items__`. It
does not escape the same keys in the values that it is given, and it recurses over them. So a value
is handed over as it is only where that is harmless beyond doubt, and people can read it there.
Everything else travels as an object of one key, with the value as JSON text.
"""

import math
from typing import Any, Final

from dagster_pgflow.json_values.text import read_own_json, write_own_json

SEALED_KEY: Final = "dagster-pgflow/json"

_MEANT_BY_DAGSTER: Final = "__"
_MEANT_BY_US: Final = "dagster-pgflow/"
_MOST_LEVELS: Final = 20
_MOST_PARTS: Final = 1000
"""Dagster does its work part by part; a text is one part."""
_MOST_EXACT: Final = 2**53
"""Up to this, integers are exact in a browser too."""


def seal(value: Any) -> Any:
    """Return a JSON value in the form in which Dagster may have it.

    Raises:
        ValueNotJson: It has no JSON form.

    >>> seal({"city": "Oslo"}), seal({"__class__": "SensorTick"})
    ({'city': 'Oslo'}, {'dagster-pgflow/json': '{"__class__":"SensorTick"}'})
    """
    return value if _is_harmless(value) else seal_always(value)


def seal_always(value: Any) -> dict[str, str]:
    """Return a JSON value as an object of one key, whatever it is.

    Raises:
        ValueNotJson: It has no JSON form.
    """
    return {SEALED_KEY: write_own_json(value, "A value")}


def unseal(sealed: Any) -> Any:
    """Return the JSON value that `seal` was given.

    Raises:
        ValueNotJson: It says that it is JSON text, and is none.

    >>> unseal({"dagster-pgflow/json": '{"__class__":"SensorTick"}'}), unseal({"city": "Oslo"})
    ({'__class__': 'SensorTick'}, {'city': 'Oslo'})
    """
    if isinstance(sealed, dict) and len(sealed) == 1:
        text = sealed.get(SEALED_KEY)
        if isinstance(text, str):
            return read_own_json(text, f'The text under "{SEALED_KEY}"')
    return sealed


def _is_harmless(value: Any) -> bool:
    left = _MOST_PARTS
    level: list[Any] = [value]
    for _ in range(_MOST_LEVELS):
        if not level:
            return True
        left -= len(level)
        if left < 0:
            return False
        below: list[Any] = []
        for part in level:
            kind = type(part)
            if kind is dict:
                if not all(map(_is_harmless_key, part)):
                    return False
                below.extend(part.values())
            elif kind is list:
                below.extend(part)
            elif not _is_harmless_scalar(part, kind):
                return False
        level = below
    return not level


def _is_harmless_key(key: Any) -> bool:
    return (
        type(key) is str
        and not key.startswith((_MEANT_BY_DAGSTER, _MEANT_BY_US))
        and _is_harmless_text(key)
    )


def _is_harmless_scalar(value: Any, kind: type) -> bool:
    if kind is str:
        return _is_harmless_text(value)
    if kind is int:
        return abs(value) <= _MOST_EXACT  # type: ignore[no-any-return]
    if kind is float:
        return math.isfinite(value)
    return kind is bool or value is None


def _is_harmless_text(text: str) -> bool:
    """Return whether PostgreSQL and every encoding can hold a text."""
    if "\x00" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

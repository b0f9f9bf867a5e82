"""A JSON Schema that some values have in common: a proposal, for people to look at."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from dagster_pgflow.model.steps.fields import JsonSchema

MOST_LEVELS: Final = 12
"""How deep a proposal goes; what lies deeper may be anything."""

MOST_KEYS: Final = 200
"""How many keys an object may have that is described key by key."""

MOST_ELEMENTS: Final = 200
"""How many elements of a list are looked at."""

_ORDER: Final = ("object", "array", "string", "integer", "number", "boolean", "null")

_KINDS: Final = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    str: "string",
    list: "array",
    dict: "object",
}


def inferred_schema(values: Sequence[Any]) -> JsonSchema:
    """Return a schema that all values fit.

    A key is required that all objects have. No values are listed, and no lengths.

    >>> inferred_schema([{"id": 1, "note": "x"}, {"id": 2.5}])["required"]
    ['id']

    Args:
        values: JSON; of none anything is allowed.
    """
    return _schema(values, 0)


def _schema(values: Sequence[Any], level: int) -> JsonSchema:
    kinds = {_kind(value) for value in values}
    if not kinds or level >= MOST_LEVELS:
        return {}
    if "number" in kinds:
        kinds.discard("integer")
    named = [kind for kind in _ORDER if kind in kinds]
    found: JsonSchema = {"type": named[0] if len(named) == 1 else named}
    objects = [value for value in values if isinstance(value, dict)]
    lists = [value for value in values if isinstance(value, list)]
    if objects:
        found |= _of_objects(objects, level)
    if any(lists):
        found["items"] = _schema(_some(element for each in lists for element in each), level + 1)
    return found


def _of_objects(objects: Sequence[dict[str, Any]], level: int) -> JsonSchema:
    keys = dict.fromkeys(key for each in objects for key in each)
    if not keys or len(keys) > MOST_KEYS:
        return {}
    properties = {
        key: _schema([each[key] for each in objects if key in each], level + 1) for key in keys
    }
    required = [key for key in keys if all(key in each for each in objects)]
    return {"properties": properties} | ({"required": required} if required else {})


def _some(elements: Iterable[Any]) -> list[Any]:
    return [element for element, _ in zip(elements, range(MOST_ELEMENTS), strict=False)]


def _kind(value: Any) -> str:
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    return _KINDS[type(value)]

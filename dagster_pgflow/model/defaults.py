"""The input of a run: what was asked for, laid over the defaults of its flow's input schema.

SQL does the same (`pgflow.input_of_run`), so it is known before a run begins, and everybody who
reads an input finds the same. To lay it over the defaults once more changes nothing.

Defaults count where it is certain that they hold: in `properties` and `items`, and behind a `$ref`
within the schema. Which part of an `anyOf`, `oneOf`, `allOf` or `if` would count, nobody says; what
stands there is left alone.
"""

import json
from collections import deque
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from dagster_pgflow.limits import MOST_LEVELS
from dagster_pgflow.model.schema import referred_schema, referring, resolved_schema

MOST_INSIDE: Final = 1_000
"""How many defaults may be filled in for one: itself, those of its fields, and so on."""


class Unasked(Enum):
    """Stands for an input of which nobody said anything."""

    UNASKED = "unasked"


UNASKED: Final = Unasked.UNASKED


@dataclass(frozen=True)
class PlacedDefault:
    """A default that may be filled in.

    Attributes:
        place: Keys down to the schema that it stands in.
        schema: That schema.
        value: The default, with those inside it; nothing when they never end.
    """

    place: tuple[str, ...]
    schema: dict[str, Any]
    value: Any = UNASKED


def input_of_run(schema: dict[str, Any] | None, asked: Any = UNASKED) -> Any:
    """Return the input of a run.

    Args:
        schema: The input schema of its flow.
        asked: The input that was asked for. Without one it is the default of the whole schema, or
            else an object without fields.

    >>> input_of_run({"properties": {"a": {"default": 1}, "b": {"default": 2}}}, {"b": None})
    {'b': None, 'a': 1}
    """
    if asked is UNASKED:
        asked = _copy_of(default_of(schema, schema))
        asked = {} if asked is UNASKED else asked
    # Most schemas have none, and a large input takes time to look through.
    if schema is None or '"default"' not in json.dumps(schema):
        return asked
    try:
        return _filled(asked, _Place(schema, schema))
    except _Endless:
        # Such a flow does not run, and its job says why.
        return asked


def _copy_of(default: Any) -> Any:
    """Return a default in a form that whoever gets the input may change."""
    return deepcopy(default) if isinstance(default, dict | list) else default


def default_of(schema: Any, whole: Any) -> Any:
    """Return the default of a part of a schema, or of what that refers to; else `UNASKED`."""
    there = (one["default"] for one in referring(schema, whole) if "default" in one)
    return next(there, UNASKED)


def defaults_in(schema: dict[str, Any]) -> Iterator[PlacedDefault]:
    """Yield the defaults of a schema that may be filled in, each once."""
    seen: set[int] = set()
    waiting: deque[tuple[tuple[str, ...], Any]] = deque([((), schema)])
    while waiting:
        path, part = waiting.popleft()
        if not isinstance(part, dict) or id(part) in seen:
            continue
        seen.add(id(part))
        if "default" in part:
            yield _placed(path, part, schema)
        fields = part.get("properties")
        named = fields.items() if isinstance(fields, dict) else ()
        waiting += [((*path, "properties", name), inner) for name, inner in named]
        waiting.append(((*path, "items"), part.get("items")))
        if "$ref" in part:
            keys = str(part["$ref"]).split("/")[1:]
            waiting.append((tuple(keys), referred_schema(part["$ref"], schema)))


def _placed(path: tuple[str, ...], part: dict[str, Any], whole: dict[str, Any]) -> PlacedDefault:
    try:
        filled = _filled(part["default"], _Place(part, whole, 1, _Count().plus_one()))
    except _Endless:
        return PlacedDefault(path, part)
    return PlacedDefault(path, part, filled)


class _Endless(Exception):
    """A default has more defaults inside than anybody means."""


class _Count:
    """Counts what is filled in for one default."""

    def __init__(self) -> None:
        self._count = 0

    def plus_one(self) -> "_Count":
        self._count += 1
        if self._count > MOST_INSIDE:
            raise _Endless
        return self


@dataclass(frozen=True)
class _Place:
    """Where in an input something stands.

    Attributes:
        schema: What the schema says of it.
        whole: The schema.
        level: How deep that is.
        inside: Counts, where it is a part of a default.
    """

    schema: Any
    whole: dict[str, Any]
    level: int = 0
    inside: _Count | None = None

    def within(self, schema: Any) -> "_Place":
        return _Place(schema, self.whole, self.level + 1, self.inside)

    def in_default(self, schema: Any) -> "_Place":
        count = (self.inside or _Count()).plus_one()
        return _Place(schema, self.whole, self.level + 1, count)


def _filled(value: Any, at: _Place) -> Any:
    schema = resolved_schema(at.schema, at.whole) if isinstance(value, dict | list) else None
    if schema is None:
        return value
    if at.level > MOST_LEVELS:
        if at.inside is not None:
            raise _Endless
        return value
    if isinstance(value, list):
        items = schema.get("items")
        is_plain = isinstance(items, dict) and "prefixItems" not in schema
        return [_filled(item, at.within(items)) for item in value] if is_plain else value
    fields = schema.get("properties")
    if not isinstance(fields, dict):
        return value
    whole = dict(value)
    for name, part in fields.items():
        if name in value:
            whole[name] = _filled(value[name], at.within(part))
            continue
        default = default_of(part, at.whole)
        if default is not UNASKED:
            whole[name] = _filled(_copy_of(default), at.in_default(part))
    return whole

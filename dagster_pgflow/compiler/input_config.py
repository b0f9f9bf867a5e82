"""What Dagster is told of a flow's input, so that it refuses some inputs before there is a run.

Dagster's config schemas say far less than JSON Schema. What comes out here is always weaker than
the schema: every input that the flow accepts passes, and arrives as it was. Where that is not
certain, anything passes. The run itself judges the input by the whole schema.
"""

import json
from collections.abc import Mapping
from hashlib import sha1
from typing import Any, Final

import dagster as dg

from dagster_pgflow.compat import ConfigScalar, ConfigScalarKind
from dagster_pgflow.json_values.sealed import SEALED_KEY, seal
from dagster_pgflow.model.defaults import UNASKED, default_of
from dagster_pgflow.model.schema import resolved_schema
from dagster_pgflow.names import REQUESTED_INPUT_KEY

MOST_PARTS: Final = 500
"""How many parts a schema may have for Dagster to be told of it: it keeps all of them."""

_DEEPEST: Final = 10
_LONGEST: Final = 500
_NUMBER: Final = ConfigScalar("Number", "Number", ConfigScalarKind.FLOAT)
_SCALARS: Final[Mapping[str, Any]] = {
    "boolean": dg.Bool,
    "integer": _NUMBER,
    "number": _NUMBER,
}


def input_config(schema: Mapping[str, Any]) -> Any:
    """Return the config type of a flow's input.

    Only an object is described. It may also come as the object that `seal` makes of a value, so
    none of its fields is required and everything else is `Any`.

    Args:
        schema: The input schema.
    """
    try:
        found = _ConfigReading(schema).of_input()
    except _Beyond:
        found = None
    return dg.Any if found is None else found


class _Beyond(Exception):
    """The schema is too large, or says things that cannot be followed here."""


class _ConfigReading:
    """Reads one schema.

    Args:
        whole: The schema.
    """

    def __init__(self, whole: Mapping[str, Any]) -> None:
        self._whole = whole
        self._left = MOST_PARTS
        # Both change what the references and words inside of them mean.
        text = json.dumps(whole)
        if any(text.count(f'"{word}"') > (word in whole) for word in ("$id", "$schema")):
            raise _Beyond

    def of_input(self) -> Any:
        schema = resolved_schema(self._whole, self._whole)
        if schema is None or schema.get("type") != "object":
            return None
        sealed = dg.Field(
            dg.String,
            is_required=False,
            description="The whole input as JSON text, instead of all its fields.",
        )
        fields = self._fields(schema, 1, nothing_is_required=True)
        requested = dg.Field(
            dg.String,
            is_required=False,
            description="The row of `pgflow.run_requests` that has the input, instead of it.",
        )
        return _object(schema, {**fields, SEALED_KEY: sealed, REQUESTED_INPUT_KEY: requested})

    def _of(self, schema: Any, level: int) -> Any:
        """Return the config type of a part; nothing where it may be anything."""
        self._left -= 1
        if self._left < 0:
            raise _Beyond
        schema = resolved_schema(schema, self._whole)
        if schema is None or level > _DEEPEST:
            return None
        words = schema.get("type")
        kinds = {words} if isinstance(words, str) else set(words or ())
        if not kinds:
            return self._of_values(schema) or self._of_choice(schema, level)
        is_nullable = "null" in kinds
        kinds -= {"null"}
        found = self._of_kind(kinds.pop(), schema, level) if len(kinds) == 1 else None
        return dg.Noneable(found) if is_nullable and found is not None else found

    def _of_values(self, schema: Mapping[str, Any]) -> Any:
        """Return the type of one of some texts, or null."""
        values = _values_of(schema)
        found = _one_of(values)
        return dg.Noneable(found) if found is not None and None in values else found

    def _of_choice(self, schema: Mapping[str, Any], level: int) -> Any:
        """Return the type of something or null, which is how an optional field is written."""
        for word in ("anyOf", "oneOf"):
            parts = schema.get(word)
            if not isinstance(parts, list):
                continue
            others = [part for part in parts if not _is_null(part)]
            if len(others) == 1:
                found = self._of(others[0], level)
                return None if found is None else dg.Noneable(found)
        return None

    def _of_kind(self, kind: str, schema: Mapping[str, Any], level: int) -> Any:
        match kind:
            case "object":
                return _object(schema, self._fields(schema, level + 1))
            case "array":
                items = (
                    None if "prefixItems" in schema else self._of(schema.get("items"), level + 1)
                )
                # With elements that may be anything Dagster 1.13 stumbles over null.
                return dg.Array(dg.Noneable(dg.Any) if items is None else items)
            case "string":
                return _one_of(_values_of(schema)) or dg.String
            case _:
                return _SCALARS.get(kind)

    def _fields(
        self, schema: Mapping[str, Any], level: int, *, nothing_is_required: bool = False
    ) -> dict[str, dg.Field]:
        named = schema.get("properties")
        required = () if nothing_is_required else schema.get("required", ())
        fields: dict[str, dg.Field] = {}
        for name, part in named.items() if isinstance(named, dict) else ():
            if _plain(name) is None:
                raise _Beyond
            found = self._of(part, level)
            is_required = name in required and default_of(part, self._whole) is UNASKED
            fields[name] = dg.Field(
                dg.Any if found is None else found,
                is_required=is_required,
                description=_plain(part.get("description")) if isinstance(part, dict) else None,
            )
        return fields


def _object(schema: Mapping[str, Any], fields: dict[str, dg.Field]) -> Any:
    is_closed = schema.get("additionalProperties") is False and "patternProperties" not in schema
    make: Any = dg.Shape if is_closed else dg.Permissive
    return make(fields)


def _values_of(schema: Mapping[str, Any]) -> list[Any]:
    if "const" in schema:
        return [schema["const"]]
    values = schema.get("enum")
    return values if isinstance(values, list) else []


def _one_of(values: list[Any]) -> Any:
    """Return the type of some texts, besides null; nothing where there is something else."""
    given = [value for value in values if value is not None]
    texts = list(dict.fromkeys(text for value in given if (text := _plain(value)) is not None))
    if not texts or len(texts) < len(given):
        return None
    # Dagster takes enums of one name for the same, and tells people the name.
    name = f"one of {json.dumps(texts, ensure_ascii=False)[1:-1]}"
    if len(name) > _LONGEST:
        name = f"one of some: {sha1(name.encode(), usedforsecurity=False).hexdigest()}"
    return dg.Enum(name, [dg.EnumValue(text) for text in texts])


def _plain(text: Any) -> str | None:
    """Return a text that Dagster can have as it is."""
    is_plain = isinstance(text, str) and len(text) <= _LONGEST and seal(text) == text
    return text if is_plain else None


def _is_null(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "null"

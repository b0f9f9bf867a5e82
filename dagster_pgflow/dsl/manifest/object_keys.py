"""Which keys an object must and may have by its JSON Schema, as far as that is certain."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from dagster_pgflow.model.schema import referred_schema
from dagster_pgflow.model.steps.fields import JsonSchema

_MOST_LEVELS: Final = 20
_PUT_TOGETHER: Final = ("$ref", "allOf", "anyOf", "oneOf")


@dataclass(frozen=True)
class ObjectKeys:
    """The keys of an object.

    Attributes:
        required: Those that it certainly has, with what each may be.
        optional: Those that it may have.
    """

    required: Mapping[str, Any] = field(default_factory=dict)
    optional: Mapping[str, Any] = field(default_factory=dict)

    @property
    def all(self) -> dict[str, Any]:
        """All of them."""
        return {**self.optional, **self.required}


def object_keys(schema: JsonSchema | None) -> ObjectKeys:
    """Return the keys that a schema names.

    >>> object_keys({"properties": {"a": {}, "b": {}}, "required": ["a"]})
    ObjectKeys(required={'a': {}}, optional={'b': {}})
    """
    return _keys(schema, schema, 0)


def _keys(schema: Any, whole: Any, level: int) -> ObjectKeys:
    if not isinstance(schema, dict) or level > _MOST_LEVELS:
        return ObjectKeys()
    parts = [_own(schema)]
    if schema.keys().isdisjoint(_PUT_TOGETHER):
        return parts[0]
    if "$ref" in schema:
        parts.append(_keys(referred_schema(schema["$ref"], whole), whole, level + 1))
    all_of = schema.get("allOf")
    parts += [
        _keys(part, whole, level + 1) for part in (all_of if isinstance(all_of, list) else ())
    ]
    for word in ("anyOf", "oneOf"):
        if isinstance(schema.get(word), list) and schema[word]:
            parts.append(_either([_keys(part, whole, level + 1) for part in schema[word]]))
    required: dict[str, Any] = {}
    optional: dict[str, Any] = {}
    for part in parts:
        required |= part.required
        optional |= part.optional
    known = {**optional, **required}
    required = {
        key: optional.get(key, said) if said == {} else said for key, said in required.items()
    }
    return ObjectKeys(required, {key: known[key] for key in optional if key not in required})


def _own(schema: dict[str, Any]) -> ObjectKeys:
    properties = schema.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    names = schema.get("required")
    names = [key for key in names if isinstance(key, str)] if isinstance(names, list) else []
    required = {key: properties.get(key, {}) for key in names}
    return ObjectKeys(required, {key: properties[key] for key in properties if key not in required})


def _either(parts: list[ObjectKeys]) -> ObjectKeys:
    """Return the keys of an object that is one of several: what all of them require is certain."""
    certain = set.intersection(*(set(part.required) for part in parts))
    known: dict[str, list[Any]] = {}
    for part in parts:
        for key, said in part.all.items():
            known.setdefault(key, []).append(said)
    types = {key: each[0] if len(each) == 1 else {"anyOf": each} for key, each in known.items()}
    return ObjectKeys(
        {key: said for key, said in types.items() if key in certain},
        {key: said for key, said in types.items() if key not in certain},
    )

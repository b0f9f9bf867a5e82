"""The types of Malli that are not put together of others, and what JSON they are."""

from collections.abc import Mapping
from typing import Any, Final

from dagster_pgflow.model.steps.fields import JsonSchema

PLAIN: Final[Mapping[str, JsonSchema]] = {
    "any": {},
    "some": {"not": {"type": "null"}},
    "nil": {"type": "null"},
    "string": {"type": "string"},
    "int": {"type": "integer"},
    "double": {"type": "number"},
    "float": {"type": "number"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "keyword": {"type": "string"},
    "qualified-keyword": {"type": "string", "pattern": "/"},
    "symbol": {"type": "string"},
    "uuid": {"type": "string", "format": "uuid"},
    "inst": {"type": "string", "format": "date-time"},
    "map": {"type": "object"},
    "vector": {"type": "array"},
    "sequential": {"type": "array"},
    "set": {"type": "array", "uniqueItems": True},
}
"""By keyword."""

_COUNTED: Final = {"min": "minimum", "max": "maximum"}
_LENGTHS: Final = {
    "string": {"min": "minLength", "max": "maxLength"},
    "array": {"min": "minItems", "max": "maxItems"},
    "object": {"min": "minProperties", "max": "maxProperties"},
    "integer": _COUNTED,
    "number": _COUNTED,
}

PREDICATES: Final[Mapping[str, JsonSchema]] = {
    **{
        f"{name}?": PLAIN[name]
        for name in ("any", "some", "nil", "string", "int", "double", "float", "number", "boolean")
    },
    **{
        f"{name}?": PLAIN[name]
        for name in ("keyword", "symbol", "uuid", "inst", "map", "vector", "sequential", "set")
    },
    "integer?": PLAIN["int"],
    "pos-int?": {"type": "integer", "minimum": 1},
    "nat-int?": {"type": "integer", "minimum": 0},
    "neg-int?": {"type": "integer", "maximum": -1},
    "true?": {"const": True},
    "false?": {"const": False},
}
"""By symbol: predicates of Clojure, which Malli takes for types."""


def bounds_of(schema: JsonSchema, options: Mapping[str, Any]) -> JsonSchema:
    """Return what `{:min 1 :max 5}` says of a type."""
    words = _LENGTHS.get(str(schema.get("type")), {})
    return {word: options[name] for name, word in words.items() if name in options}

"""Numbers without a fraction become integers where a schema wants integers.

`949.0` is `949` in JSON, but not in Python, nor in what other programs read. Nothing is lost, so it
does not matter which of several schemas a value has to fit: all that might apply are asked.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

LARGEST: Final = 2**53
"""Up to here a float is one integer and no other."""

MOST_STEPS: Final = 200_000
"""How many parts of schemas are looked at; what is beyond stays as it is."""

_ALTERNATIVES: Final = ("allOf", "anyOf", "oneOf")
_CONDITIONAL: Final = ("then", "else")


def coerced(schema: dict[str, Any], value: Any) -> Any:
    """Return a value in which floats that are whole are integers, where a schema says integer.

    Args:
        schema: A JSON Schema; what it refers to outside of itself is not looked at.
        value: The value, which stays as it is.

    >>> coerced({"properties": {"n": {"type": "integer"}}}, {"n": 949.0, "x": 1.0})
    {'n': 949, 'x': 1.0}
    """
    return _Coercion(schema).of(value, [schema])


@dataclass
class _Coercion:
    whole: dict[str, Any]
    left: int = field(default=MOST_STEPS)

    def of(self, value: Any, given: Iterable[Any]) -> Any:
        """Return a value as the schemas that apply to it want it."""
        if not isinstance(value, float | dict | list):
            return value
        schemas = self._all_of(given)
        if not schemas:
            return value
        match value:
            case dict():
                return {
                    name: self.of(part, _of_field(schemas, name)) for name, part in value.items()
                }
            case list():
                return [self.of(part, _of_item(schemas, index)) for index, part in enumerate(value)]
            case _:
                is_whole = value.is_integer() and abs(value) <= LARGEST
                return int(value) if is_whole and any(map(_wants_integer, schemas)) else value

    def _all_of(self, given: Iterable[Any]) -> list[dict[str, Any]]:
        """Return schemas with those that they consist of and refer to, each once."""
        waiting, found = list(given), dict[int, dict[str, Any]]()
        while waiting and self.left > 0:
            part = waiting.pop()
            self.left -= 1
            if not isinstance(part, dict) or id(part) in found:
                continue
            found[id(part)] = part
            waiting.extend(part.get(word) for word in _CONDITIONAL)
            for word in _ALTERNATIVES:
                listed = part.get(word)
                waiting.extend(listed if isinstance(listed, list) else ())
            waiting.append(self._referred(part.get("$ref")))
        return list(found.values())

    def _referred(self, reference: Any) -> Any:
        if not isinstance(reference, str) or not reference.startswith("#"):
            return None
        part: Any = self.whole
        for name in reference.removeprefix("#").split("/")[1:]:
            key = name.replace("~1", "/").replace("~0", "~")
            part = part.get(key) if isinstance(part, dict) else None
        return part


def _wants_integer(schema: dict[str, Any]) -> bool:
    named = schema.get("type")
    return named == "integer" or (isinstance(named, list) and "integer" in named)


def _of_field(schemas: Iterable[dict[str, Any]], name: str) -> Iterator[Any]:
    for schema in schemas:
        fields = schema.get("properties")
        if isinstance(fields, dict) and name in fields:
            yield fields[name]
        else:
            yield schema.get("additionalProperties")


def _of_item(schemas: Iterable[dict[str, Any]], index: int) -> Iterator[Any]:
    for schema in schemas:
        first = schema.get("prefixItems")
        listed = first if isinstance(first, list) else []
        yield listed[index] if index < len(listed) else schema.get("items")

"""What JSON a value may be, as far as a JSON Schema tells.

Only what is certain is told: where a schema says nothing, or says it in a way that is not followed
here, everything may be.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Final

from dagster_pgflow.model.schema import referred_schema

KINDS: Final = ("null", "boolean", "object", "array", "number", "string")
WORDS: Final = {
    "null": "null",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "number": "a number",
    "integer": "an integer",
    "string": "text",
}
_REMARKS: Final = ("title", "description", "default", "examples", "deprecated", "$comment")
_PLACES: Final = ("$ref", "$defs", "definitions", "$schema", "$id", "readOnly", "writeOnly")
_ANNOTATIONS: Final = frozenset((*_REMARKS, *_PLACES))
_MAY_LIST_MORE: Final = ("if", "then", "else", "dependentSchemas", "$dynamicRef")
_OF_ONE_VALUE: Final = ("type", "const", "enum", "items")
_OF_FIELDS: Final = ("properties", "additionalProperties", "patternProperties", *_MAY_LIST_MORE)
_MOST_REFERENCES: Final = 50


@dataclass(frozen=True)
class FieldProblem:
    """Why a value has no field of some name.

    Attributes:
        reason: What it is instead, as the end of a sentence.
        meant: The field that it has and that the name comes close to.
        is_certain: Whether the schema rules the field out, not only leaves it out of its list.
    """

    reason: str
    meant: str | None = None
    is_certain: bool = True


@dataclass(frozen=True, eq=False)
class JsonType:
    """The JSON that a value may be.

    Attributes:
        schema: A JSON Schema, in which parts may be types with schemas of their own.
        whole: The schema that references of this one look into.
        is_open: Whether an object may have fields besides those that the schema lists, where it
            does not say. What callers send may; what a step promises to return may not.
        is_written: Whether an author wrote the object field by field, so that each has a meaning.
    """

    schema: Any
    whole: Any = None
    is_open: bool = False
    is_written: bool = False

    def part(self, schema: Any) -> "JsonType":
        """Return the type of a part of the schema."""
        if isinstance(schema, JsonType):
            return schema
        return JsonType(schema, self.whole, self.is_open)

    def resolved(self) -> "JsonType":
        """Follow references within the schema; one that leads elsewhere may be anything."""
        schema = self.schema
        for _ in range(_MOST_REFERENCES):
            if not isinstance(schema, dict) or "$ref" not in schema:
                return replace(self, schema=schema) if _is_schema(schema) else ANYTHING
            if not schema.keys() <= _ANNOTATIONS:
                return ANYTHING
            schema = referred_schema(schema["$ref"], self.whole)
        return ANYTHING

    @property
    def is_anything(self) -> bool:
        """Whether nothing is known; of a resolved type."""
        return self.schema is True or self.schema == {}

    @property
    def alternatives(self) -> tuple["JsonType", ...]:
        """The types of which the value has one, where the schema lists some."""
        return tuple(self._listed("anyOf")) or tuple(self._listed("oneOf"))

    @property
    def parts(self) -> tuple["JsonType", ...]:
        """The types that the value has besides this one."""
        return tuple(self._listed("allOf"))

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of JSON that the value may be, in the words of JSON Schema."""
        if not isinstance(self.schema, dict):
            return frozenset(KINDS if self.schema else ())
        if "const" in self.schema:
            kind = kind_of(self.schema["const"])
            return frozenset([kind] if kind != "integer" else ["integer", "number"])
        given = self.schema.get("type")
        named = [given] if isinstance(given, str) else given if isinstance(given, list) else ()
        told = frozenset(kind for kind in WORDS if kind in named) or frozenset(KINDS)
        values = self.schema.get("enum")
        if isinstance(values, list):
            return frozenset(kind for v in values if may_be(told, kind := kind_of(v)))
        return told

    @property
    def shown(self) -> str:
        """What the value is, as the end of a sentence."""
        if isinstance(self.schema, dict) and self.alternatives and "type" not in self.schema:
            kinds = {kind for one in self.alternatives for kind in one.resolved().kinds}
        elif isinstance(self.schema, dict) and "const" in self.schema:
            kinds = {kind_of(self.schema["const"])}
        else:
            kinds = set(self.kinds)
        return " or ".join(WORDS[kind] for kind in WORDS if kind in kinds) or "nothing"

    @property
    def fields(self) -> dict[str, Any]:
        """The fields that the schema lists, with their schemas."""
        listed = self.schema.get("properties") if isinstance(self.schema, dict) else None
        return listed if isinstance(listed, dict) else {}

    @property
    def required(self) -> list[str]:
        """The fields that an object always has."""
        listed = self.schema.get("required") if isinstance(self.schema, dict) else None
        given = listed if isinstance(listed, list) else []
        return [name for name in given if isinstance(name, str)]

    @property
    def others(self) -> Any:
        """What the schema says of fields that it does not list: any, none, nothing, or a schema."""
        if any(word in self.schema for word in ("patternProperties", *_MAY_LIST_MORE)):
            return "any"
        match self.schema.get("additionalProperties"):
            case None:
                return "unsaid" if self.fields else "any"
            case False:
                return "none"
            case True:
                return "any"
            case schema:
                return schema

    @property
    def elements(self) -> "JsonType":
        """The type of an element of a list; `ANYTHING` when in doubt."""
        here = self.resolved()
        lists = [one.resolved() for one in here.alternatives]
        lists = [one for one in lists if "array" in one.kinds]
        if len(lists) == 1 and not here.parts:
            return lists[0].elements
        is_plain = isinstance(here.schema, dict) and not (here.parts or here.alternatives)
        if not is_plain or "prefixItems" in here.schema:
            return ANYTHING
        return here.part(here.schema.get("items", True))

    def field(self, name: str) -> "JsonType | FieldProblem":
        """Return the type of a field, or an element, of the value; `ANYTHING` when in doubt."""
        here = self.resolved()
        if here.is_anything or not isinstance(here.schema, dict):
            return ANYTHING
        found = [part.field(name) for part in here.parts]
        if here.alternatives:
            found.append(_either([one.field(name) for one in here.alternatives]))
        if not found or any(word in here.schema for word in (*_OF_ONE_VALUE, *_OF_FIELDS)):
            found.append(_own_field(here, name))
        return _both(found)

    def _listed(self, word: str) -> Iterator["JsonType"]:
        listed = self.schema.get(word) if isinstance(self.schema, dict) else None
        for schema in listed if isinstance(listed, list) else ():
            yield self.part(schema)


ANYTHING: Final = JsonType({})


def type_of_input(schema: dict[str, Any] | None) -> JsonType:
    """Return the type of a flow's input: who sends it may send more than the schema lists."""
    return ANYTHING if schema is None else JsonType(schema, schema, is_open=True)


def kind_of(value: Any) -> str:
    """Return the kind of a JSON value, in the words of JSON Schema."""
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    known = {type(None): "null", bool: "boolean", int: "integer", str: "string", dict: "object"}
    return known.get(type(value), "array")


def may_be(kinds: frozenset[str], kind: str) -> bool:
    """Return whether a value of a kind may be of some kinds; numbers may be integers."""
    near = {"integer": {"integer", "number"}, "number": {"integer", "number"}}
    return bool(kinds & near.get(kind, {kind}))


def nearest(name: str, names: Sequence[str] | dict[str, Any]) -> str | None:
    """Return the name that may be meant by one that there is not."""
    return next(iter(get_close_matches(name, list(names), 1)), None)


def _own_field(here: JsonType, name: str) -> JsonType | FieldProblem:
    """Return a field by what the schema itself says, apart from the types inside it."""
    as_element = _is_index(name) and "array" in here.kinds
    if "object" not in here.kinds and not as_element:
        return FieldProblem(f"it is {here.shown}")
    if as_element:
        return _element(here, int(name)) if here.kinds == {"array"} else ANYTHING
    if name in here.fields:
        return here.part(here.fields[name])
    return _unlisted(here, name)


def _unlisted(here: JsonType, name: str) -> JsonType | FieldProblem:
    problem = FieldProblem(
        f"its fields are {', '.join(here.fields) or '(none)'}", nearest(name, here.fields)
    )
    match here.others:
        case "none":
            return problem
        case "unsaid" if problem.meant or not here.is_open:
            return replace(problem, is_certain=False)
        case "unsaid" | "any":
            return ANYTHING
        case schema:
            return here.part(schema)


def _element(here: JsonType, index: int) -> JsonType | FieldProblem:
    first = here.schema.get("prefixItems")
    if isinstance(first, list) and index < len(first):
        return here.part(first[index])
    others = here.schema.get("items", True)
    return (
        FieldProblem(f"it is a list of {len(first or ())}")
        if others is False
        else here.part(others)
    )


def _both(found: Sequence[JsonType | FieldProblem]) -> JsonType | FieldProblem:
    """Return a field of a value that has several types at once."""
    problems = [one for one in found if isinstance(one, FieldProblem)]
    for problem in problems:
        if problem.is_certain:
            return problem
    known = [one for one in found if isinstance(one, JsonType) and not one.resolved().is_anything]
    if known:
        return known[0]
    return problems[0] if len(problems) == len(found) else ANYTHING


def _either(found: Sequence[JsonType | FieldProblem]) -> JsonType | FieldProblem:
    """Return a field of a value that has one of several types."""
    there = [one for one in found if isinstance(one, JsonType)]
    if there:
        return there[0] if len(there) == 1 else JsonType({"anyOf": there})
    problems = [one for one in found if isinstance(one, FieldProblem)]
    told = next((one for one in problems if "fields" in one.reason), problems[0])
    return replace(told, is_certain=all(one.is_certain for one in problems))


def _is_schema(schema: Any) -> bool:
    return isinstance(schema, dict | bool)


def _is_index(name: str) -> bool:
    return name.isascii() and name.isdecimal()

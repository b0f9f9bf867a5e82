"""Why a value cannot be what is wanted, as far as the types of both tell for certain."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from dagster_pgflow.validation.bounded_schemas import breaches
from dagster_pgflow.validation.types.json_type import JsonType, kind_of, may_be, nearest

_LIST: Final = JsonType({"type": "array"})

TypeProblemKind = Literal["unknown-field", "missing-field", "wrong-type"]
Place = tuple[str, ...]


@dataclass(frozen=True)
class TypeProblem:
    """One thing that does not fit.

    Attributes:
        kind: What it is.
        place: Keys and indexes down to it.
        reason: The end of a sentence about what is there.
    """

    kind: TypeProblemKind
    place: Place
    reason: str

    def within(self, name: str) -> "TypeProblem":
        """Return what this is when seen from one level further out."""
        return replace(self, place=(name, *self.place))


def type_problems(given: JsonType, wanted: JsonType) -> tuple[TypeProblem, ...]:
    """Return why no value of one type is of another; nothing when some may be.

    Args:
        given: What arrives.
        wanted: What it should be: a type whose schema is plain JSON.
    """
    return _Comparison().between(given, wanted)


def list_problems(given: JsonType) -> tuple[TypeProblem, ...]:
    """Return why a value of a type is no list; nothing when it may be one."""
    return type_problems(given, _LIST)


class _Comparison:
    """Compares each pair of types once: types may contain themselves."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], tuple[TypeProblem, ...]] = {}

    def between(self, given: JsonType, wanted: JsonType) -> tuple[TypeProblem, ...]:
        given, wanted = given.resolved(), wanted.resolved()
        if given.is_anything or wanted.is_anything or given.schema is False:
            return ()
        pair = id(given.schema), id(wanted.schema)
        if pair not in self._known:
            # Whoever comes here again on the way has no news.
            self._known[pair] = ()
            self._known[pair] = self._between(given, wanted)
        return self._known[pair]

    def _between(self, given: JsonType, wanted: JsonType) -> tuple[TypeProblem, ...]:
        if given.parts:
            opened = (replace(part.resolved(), is_open=True) for part in given.parts)
            return next(filter(None, (self.between(part, wanted) for part in opened)), ())
        if given.alternatives:
            return _least([self.between(one, wanted) for one in given.alternatives])
        is_known = "const" in given.schema
        shared = [
            kind
            for kind in given.kinds
            if kind in wanted.kinds or (not is_known and may_be(wanted.kinds, kind))
        ]
        if not shared:
            return (_wrong_kind(given, wanted),)
        found = list(_of_value(given, wanted))
        if shared == ["object"]:
            found += self._of_fields(given, wanted)
        elif shared == ["array"]:
            found += self._of_elements(given, wanted)
        for part in wanted.parts:
            found += [one for one in self.between(given, part) if one.kind != "unknown-field"]
        if not found and wanted.alternatives:
            found = [*_least([self.between(given, one) for one in wanted.alternatives])]
            if [one.kind for one in found if not one.place] == ["wrong-type"]:
                return (_wrong_kind(given, wanted),)
        return tuple(dict.fromkeys(found))

    def _of_fields(self, given: JsonType, wanted: JsonType) -> Iterator[TypeProblem]:
        for name in wanted.required:
            if name not in given.fields and _has_no_others(given):
                yield TypeProblem("missing-field", (), f'lacks "{name}", which is required')
        always = [name for name in given.fields if name in given.required]
        for name in always:
            if name in wanted.fields:
                is_there = given.part(given.fields[name])
                inner = self.between(is_there, wanted.part(wanted.fields[name]))
                yield from (one.within(name) for one in inner)
            else:
                yield from self._of_unlisted(name, given, wanted)

    def _of_unlisted(self, name: str, given: JsonType, wanted: JsonType) -> Iterator[TypeProblem]:
        """Look at a field that the wanted type does not list."""
        unused = [field for field in wanted.fields if field not in given.fields]
        meant = nearest(name, unused)
        match wanted.others:
            case "any":
                return
            case "unsaid" if not given.is_written or meant is None or wanted.parts:
                return
            case "unsaid" | "none":
                listed = ", ".join(wanted.fields) or "(none)"
                advice = f'"{meant}" may be meant' if meant else f"the fields are {listed}"
                yield TypeProblem("unknown-field", (name,), f"is no field of it; {advice}")
            case schema:
                inner = self.between(given.part(given.fields[name]), wanted.part(schema))
                yield from (one.within(name) for one in inner)

    def _of_elements(self, given: JsonType, wanted: JsonType) -> Iterator[TypeProblem]:
        items = wanted.schema.get("items")
        if items is None or "prefixItems" in wanted.schema:
            return
        written = given.schema.get("prefixItems")
        if isinstance(written, list):
            for index, one in enumerate(written):
                inner = self.between(given.part(one), wanted.part(items))
                yield from (problem.within(str(index)) for problem in inner)
            return
        for problem in self.between(
            given.part(given.schema.get("items", True)), wanted.part(items)
        ):
            yield problem.within("*")


def _wrong_kind(given: JsonType, wanted: JsonType) -> TypeProblem:
    return TypeProblem("wrong-type", (), f"is {given.shown}, but must be {wanted.shown}")


def _has_no_others(given: JsonType) -> bool:
    """Return whether an object has no fields besides those that its schema lists."""
    return given.others == "none" or (given.others == "unsaid" and not given.is_open)


def _of_value(given: JsonType, wanted: JsonType) -> Iterator[TypeProblem]:
    """Hold a value that is known, or is one of some, against the schema."""
    if "const" in given.schema:
        values = [given.schema["const"]]
    elif isinstance(given.schema.get("enum"), list):
        values = given.schema["enum"]
    else:
        return
    reasons = [_breach(value, wanted) for value in values]
    if values and all(reasons):
        yield TypeProblem("wrong-type", (), f"does not fit: {reasons[0]}")


def _breach(value: Any, wanted: JsonType) -> str:
    """Return why a value breaks a schema; nothing when it fits, or the schema cannot be used."""
    if kind_of(value) in ("object", "array"):
        return ""
    whole = wanted.whole if isinstance(wanted.whole, dict | bool) else True
    try:
        errors = [error.message for error in breaches(wanted.schema, value, whole)]
    except Exception:  # noqa: BLE001  # jsonschema stumbles over a bad schema in any way
        return ""
    return errors[0] if errors else ""


def _least(found: Sequence[tuple[TypeProblem, ...]]) -> tuple[TypeProblem, ...]:
    """Return what keeps a value from the alternative that it comes closest to, if from all."""
    if not all(found):
        return ()
    inside = [
        problems for problems in found if problems[0].place or problems[0].kind != "wrong-type"
    ]
    return min(inside or found, key=len)

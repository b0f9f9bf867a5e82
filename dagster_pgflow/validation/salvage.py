"""Reads a document whose shape is wrong as far as it goes: the rules can look at the rest."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from dagster_pgflow.errors import MOST_PROBLEMS, InvalidFlow, Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.shape import Place, meant_field
from dagster_pgflow.validation.short_forms import written_out
from dagster_pgflow.validation.unknown_types import problems_behind_types
from dagster_pgflow.validation.validate import parse_flow, validate

SLUG = "flow"
"""Stands in for a slug that cannot be read."""

ABOUT_KINDS = ("map-", "pipelined-", "loop-start-is-a-map", "branch-without-rules")
ABOUT_OTHERS = (*ABOUT_KINDS, "unknown-dependency", "failure-step-", "target-", "loop-start-")
"""What may be wrong only because the kind of a step, or the step, could not be read."""


def flow_of_document(document: Any) -> Flow:
    """Return the flow that somebody wrote down.

    Args:
        document: What `Flow.to_json` returns: an object with at least a `slug`.

    Raises:
        InvalidFlow: The document has not the shape of a flow. What the rules say about the parts
            that can be read is among the problems.
    """
    given = written_out(document)
    try:
        return parse_flow(given)
    except InvalidFlow as invalid:
        if len(invalid.problems) > MOST_PROBLEMS:
            raise
        found = (*invalid.problems, *problems_behind_types(given), *_problems_of_the_rest(given))
        raise InvalidFlow(invalid.flow_slug, found) from None


def _problems_of_the_rest(document: Any) -> Iterator[Problem]:
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        return
    wrong = _wrong(document)
    meant = _as_meant(document, wrong)
    rest = _without(meant, [_unreadable(details) for details in _wrong(meant)])
    if not isinstance(rest, dict) or _wrong(rest := {"slug": SLUG, **rest}):
        return
    doubtful = _doubtful(document, wrong, rest)
    for problem in validate(Flow.model_validate(rest)):
        if not problem.code.startswith(doubtful):
            yield problem


def _doubtful(
    document: dict[str, Any], wrong: Iterable[Any], rest: dict[str, Any]
) -> tuple[str, ...]:
    """Return how the codes begin of problems that there may not be."""
    given = document.get("steps", ())
    if not isinstance(given, list) or len(given) != len(rest.get("steps", ())):
        return ABOUT_OTHERS
    return ABOUT_KINDS if any(_hides_kind(details) for details in wrong) else ()


def _hides_kind(details: Any) -> bool:
    """Return whether a step cannot be what it is meant to be; as a step of another type it can."""
    kind = str(details["type"])
    if kind == "missing":
        match details["loc"]:
            case ("steps", _, _, "rules", *_):
                return True
            case ("steps", _, _, field):
                return bool(field != "slug")
    return kind.startswith("union_tag")


def _wrong(document: dict[str, Any]) -> Sequence[Any]:
    try:
        Flow.model_validate(document)
    except ValidationError as error:
        return error.errors(include_url=False, include_input=False)
    return ()


def _as_meant(document: dict[str, Any], wrong: Iterable[Any]) -> dict[str, Any]:
    """Return a document whose fields have the names that they were meant to have."""
    mended: Any = document
    for details in wrong:
        place = _in_document(details["loc"])
        if details["type"] == "extra_forbidden":
            meant, name = meant_field(details["loc"]), place[-1]
            if meant is not None:
                mended = _changed(mended, place[:-1], _renaming(str(name), meant))
        elif _hides_kind(details):
            mended = _changed(mended, place[:2], lambda step: {**step, "type": "single"})
    return dict(mended)


def _renaming(name: str, meant: str) -> Callable[[Any], Any]:
    def renamed(fields: Any) -> Any:
        rest = {key: value for key, value in fields.items() if key != name}
        return {meant: fields[name], **rest}

    return renamed


def _changed(value: Any, place: Place, change: Callable[[Any], Any]) -> Any:
    """Return a value that is changed at a place; the value itself stays as it is."""
    if not place:
        return change(value)
    key, *inside = place
    copy = value.copy()
    copy[key] = _changed(value[key], tuple(inside), change)
    return copy


def _without(value: Any, places: Sequence[Place]) -> Any:
    """Return a value without what stands at some places; nothing when that is all of it."""
    # A place below what has no places inside is that of a key: `{0: None}` is not JSON.
    if () in places or (places and not isinstance(value, dict | list)):
        return None
    if not places:
        return value
    inside: dict[str | int, list[Place]] = {}
    for key, *rest in places:
        inside.setdefault(key, []).append(tuple(rest))
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    kept = {
        key: part if key not in inside else _without(part, inside[key]) for key, part in entries
    }
    left = {key: part for key, part in kept.items() if part is not None or key not in inside}
    return left if isinstance(value, dict) else list(left.values())


def _unreadable(details: Any) -> Place:
    """Return what has to go: an object that lacks a field cannot be read at all."""
    place = _in_document(details["loc"])
    return place[:-1] if details["type"] == "missing" and len(place) > 1 else place


def _in_document(place: Place) -> Place:
    """Return the place in the document; pydantic names a step's type behind its index."""
    match place:
        case ("steps", int(index), _, *inside):
            return ("steps", index, *inside)
        case _:
            return place

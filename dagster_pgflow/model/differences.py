"""What is different between two definitions, as a list that people can read."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.stored_form import stored_form

SIGNS = {"added": "+", "removed": "-", "changed": "~"}
LONGEST_VALUE = 100


@dataclass(frozen=True)
class Difference:
    """One thing that two definitions do not have in common.

    Attributes:
        kind: `added` is only in the second, `removed` only in the first, `changed` in both.
        path: Where, in the words of the definition, such as `steps.charge.options.timeout`.
        before: What the first one says there; `None` when it says nothing.
        after: What the second one says there; `None` when it says nothing.
    """

    kind: Literal["added", "removed", "changed"]
    path: str
    before: Any = None
    after: Any = None

    def __str__(self) -> str:
        before, after = _short(self.before), _short(self.after)
        says = {"added": after, "removed": before, "changed": f"{before} -> {after}"}
        return f"{SIGNS[self.kind]} {self.path}: {says[self.kind]}"


def differences(before: Flow, after: Flow) -> tuple[Difference, ...]:
    """Return what changes when one flow takes the place of another.

    There are none when, and only when, the store would hold the two for the same: a default that
    is written out is no difference. Steps and schedules are compared by their slugs.

    Args:
        before: A flow that passed validation.
        after: Another one.
    """
    return tuple(_of_objects("", stored_form(before), stored_form(after)))


def _of_values(path: str, before: Any, after: Any) -> Iterator[Difference]:
    match before, after:
        case dict(), dict():
            yield from _of_objects(path, before, after)
        case list(), list() if (old := _by_slug(before)) and (new := _by_slug(after)):
            yield from _of_objects(path, old, new)
            yield from _of_order(path, old, new)
        case _ if _as_stored(before) != _as_stored(after):
            yield Difference("changed", path, before, after)


def _of_objects(
    path: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[Difference]:
    for key in dict.fromkeys([*before, *after]):
        place = _joined(path, key)
        if key not in before:
            yield from _of_one("added", place, after[key])
        elif key not in after:
            yield from _of_one("removed", place, before[key])
        else:
            yield from _of_values(place, before[key], after[key])


def _of_one(kind: Literal["added", "removed"], path: str, value: Any) -> Iterator[Difference]:
    """Yield what only one of the two has: each of the steps when the other has none."""
    for place, part in _parts(path, value):
        if kind == "added":
            yield Difference(kind, place, after=part)
        else:
            yield Difference(kind, place, before=part)


def _parts(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    match value:
        case list() if named := _by_slug(value):
            yield from ((_joined(path, slug), part) for slug, part in named.items())
        case _:
            yield path, value


def _of_order(
    path: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[Difference]:
    """Yield that the things which both have stand in another order."""
    old = [slug for slug in before if slug in after]
    new = [slug for slug in after if slug in before]
    if old != new:
        yield Difference("changed", f"order of {path}", old, new)


def _by_slug(values: Sequence[Any]) -> dict[str, Any]:
    """Return what is in a list by its slugs; nothing when it is a list of other things."""
    named: dict[str, Any] = {}
    for value in values:
        match value:
            case {"slug": str(slug)} if slug not in named:
                named[slug] = value
            case _:
                return {}
    return named


def _joined(path: str, key: str) -> str:
    if not key.isidentifier():
        return f"{path}[{json.dumps(key, ensure_ascii=False)}]"
    return f"{path}.{key}" if path else key


def _as_stored(value: Any) -> str:
    """Return a text that is the same for values which PostgreSQL writes in the same way."""
    match value:
        case dict():
            fields = sorted((json.dumps(key), _as_stored(part)) for key, part in value.items())
            return f"{{{','.join(f'{key}:{part}' for key, part in fields)}}}"
        case list():
            return f"[{','.join(_as_stored(part) for part in value)}]"
        case float():
            # 1e+22 is 10000000000000000000000 there, and -0.0 is 0.0; but 1.0 is not 1.
            return format(Decimal(repr(value)) + 0, "f")
        case _:
            return json.dumps(value)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"

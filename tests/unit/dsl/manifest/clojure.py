"""What Clojure answers to a predicate over JSON: a small evaluator that knows no CEL."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from operator import ge, gt, le, lt
from typing import Any, Final

from dagster_pgflow.dsl.manifest.cel_terms import same_json
from dagster_pgflow.dsl.manifest.forms import (
    Atom,
    Form,
    Keyword,
    ListForm,
    MapForm,
    SetForm,
    Symbol,
    VectorForm,
)


class Throws(Exception):
    """Clojure throws here."""


_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {"<": lt, ">": gt, "<=": le, ">=": ge}


def holds(body: Form, data: Any) -> bool:
    """Return whether the body of a function of `d` holds."""
    return truthy(value_of(body, data))


def truthy(value: Any) -> bool:
    return value is not None and value is not False


def value_of(form: Form, data: Any) -> Any:  # noqa: C901, PLR0911 - one form a case
    match form:
        case Symbol(name="d"):
            return data
        case ListForm(items=(Keyword(name=key), where)):
            return look_up(value_of(where, data), key, None)
        case ListForm(items=(Keyword(name=key), where, default)):
            return look_up(value_of(where, data), key, value_of(default, data))
        case ListForm(items=(Symbol(name="and" | "or" as head), *rest)):
            return first_that(rest, data, wanted=head == "or")
        case ListForm(items=(Symbol(name="contains?"), SetForm(items=items), value)):
            found = value_of(value, data)
            return any(same_json(value_of(item, data), found) for item in items)
        case ListForm(items=(Symbol(name=head), *rest)):
            return call(head, [value_of(part, data) for part in rest])
        case VectorForm(items=items):
            return [value_of(item, data) for item in items]
        case MapForm(items=pairs):
            return {value_of(key, data): value_of(value, data) for key, value in pairs}
        case Keyword(name=name):
            return name
        case Atom(value=value):
            return value
    raise AssertionError(form)


def look_up(where: Any, key: Any, default: Any) -> Any:
    match where:
        case dict() if isinstance(key, str):
            return where.get(key, default)
        case list() if isinstance(key, int):
            return where[key] if key < len(where) else default
        case _:
            return default


def first_that(rest: list[Form], data: Any, *, wanted: bool) -> Any:
    value = None if wanted else True
    for part in rest:
        value = value_of(part, data)
        if truthy(value) is wanted:
            break
    return value


def call(head: str, values: list[Any]) -> Any:
    if head in _ORDER:
        if len(values) > 1 and not all(map(is_number, values)):
            raise Throws
        return all(_ORDER[head](left, right) for left, right in pairwise(values))
    return _FUNCTIONS[head](*values)


def get_in(where: Any, path: list[Any], default: Any = None) -> Any:
    found = where
    for key in path:
        found = look_up(found, key, _MISSING)
    return default if found is _MISSING else found


def equal(*values: Any) -> bool:
    return all(same_json(left, right) for left, right in pairwise(values))


def seq(value: Any) -> Any:
    if value is not None and not isinstance(value, str | list | dict):
        raise Throws
    return value or None


def contains(where: Any, key: Any) -> bool:
    if where is not None and not isinstance(where, list | dict):
        raise Throws
    return isinstance(where, dict) and key in where


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_MISSING: Final = object()
_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "get": lambda where, key, default=None: look_up(where, key, default),
    "get-in": get_in,
    "=": equal,
    "not=": lambda *values: not equal(*values),
    "not": lambda value: not truthy(value),
    "some?": lambda value: value is not None,
    "nil?": lambda value: value is None,
    "empty?": lambda value: not seq(value),
    "seq": seq,
    "contains?": contains,
}

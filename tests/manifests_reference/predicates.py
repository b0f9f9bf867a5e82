"""Predicates of drawn manifests, each said three times: in EDN, in CEL, and in Python."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Data = Mapping[str, Any]


@dataclass(frozen=True)
class Predicate:
    """One question about a data map.

    Attributes:
        edn: As EDN says it.
        cel: As YAML and JSON say it, over `data`.
        holds: The answer.
    """

    edn: str
    cel: str
    holds: Callable[[Data], bool]


def truth(key: str) -> Predicate:
    """Whether a key has a value that counts as true: any but null and false."""
    held = f'"{key}" in data && data["{key}"] != null && data["{key}"] != false'
    return Predicate(f"(:{key} d)", held, lambda data: _is_true(data.get(key)))


def equals(key: str, value: int | str | bool) -> Predicate:
    """Whether a key has this value, of this kind."""
    written = f'"{value}"' if isinstance(value, str) else str(value).lower()
    return Predicate(
        f"(= {written} (:{key} d))",
        f'"{key}" in data && data["{key}"] == {written}',
        lambda data: _is(data.get(key), value),
    )


def is_missing(key: str) -> Predicate:
    """Whether a key is not there, or null."""
    return Predicate(
        f"(nil? (:{key} d))",
        f'!("{key}" in data) || data["{key}"] == null',
        lambda data: data.get(key) is None,
    )


def inverted(one: Predicate) -> Predicate:
    """Whether it does not hold."""
    return Predicate(f"(not {one.edn})", f"!({one.cel})", lambda data: not one.holds(data))


def either(one: Predicate, other: Predicate) -> Predicate:
    """Whether one of two holds."""
    return Predicate(
        f"(or {one.edn} {other.edn})",
        f"({one.cel}) || ({other.cel})",
        lambda data: one.holds(data) or other.holds(data),
    )


def both(one: Predicate, other: Predicate) -> Predicate:
    """Whether two hold."""
    return Predicate(
        f"(and {one.edn} {other.edn})",
        f"({one.cel}) && ({other.cel})",
        lambda data: one.holds(data) and other.holds(data),
    )


def below(key: str, value: int) -> Predicate:
    """Whether a key has a number, and a smaller one."""
    return Predicate(
        f"(and (some? (:{key} d)) (< (:{key} d) {value}))",
        f'"{key}" in data && data["{key}"] < {value}',
        lambda data: key in data and data[key] < value,
    )


def one_of(key: str, values: tuple[int | str, ...]) -> Predicate:
    """Whether the value of a key is one of several."""
    written = [f'"{value}"' if isinstance(value, str) else str(value) for value in values]
    return Predicate(
        f"(contains? #{{{' '.join(written)}}} (:{key} d))",
        f'"{key}" in data && data["{key}"] in [{", ".join(written)}]',
        lambda data: any(_is(data.get(key), value) for value in values),
    )


def _is_true(value: Any) -> bool:
    return value is not None and value is not False


def _is(value: Any, other: Any) -> bool:
    return type(value) is type(other) and value == other

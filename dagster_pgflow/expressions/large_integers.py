"""Integers that CEL does not have: those of more than 64 bits.

JSON has them, CEL does not. In an expression each is a double, as numbers of that size are for most
readers of JSON. Where two would be the same double, one is the next double to it: so they still
differ, their order holds, and an expression that hands one on gives exactly the integer.
"""

import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

_SMALLEST: Final = -(2**63)
_LARGEST: Final = 2**64 - 1
_LAST_DOUBLE: Final = int(sys.float_info.max)


def doubles_of_large(values: Iterable[Any]) -> dict[int, float]:
    """Return the double that stands for each integer of more than 64 bits in some values."""
    large = {number for value in values for number in _large_in(value)}
    if not large:
        return {}
    above, below = (_apart(abs(n) for n in large if n * sign > 0) for sign in (1, -1))
    return {**above, **{-number: -double for number, double in below.items()}}


def replaced(value: Any, standing: Mapping[Any, Any]) -> Any:
    """Return a value in which other numbers stand for some.

    Args:
        value: JSON, not nested deeply.
        standing: What stands for each number: large integers for doubles, or the other way round.
    """
    match value:
        case dict():
            return {key: replaced(inner, standing) for key, inner in value.items()}
        case list():
            return [replaced(inner, standing) for inner in value]
        case int() | float() if not isinstance(value, bool):
            return standing.get(value, value)
        case _:
            return value


def _apart(numbers: Iterable[int]) -> dict[int, float]:
    """Return a double for each of some numbers above zero, in the same order."""
    found: dict[int, float] = {}
    ordered = sorted(numbers)
    last = 0.0
    for number in ordered:
        if number <= _LAST_DOUBLE:
            last = found[number] = max(float(number), math.nextafter(last, math.inf))
    last = math.inf
    for number in reversed(ordered):
        if number > _LAST_DOUBLE:
            found[number] = last
            last = math.nextafter(last, 0.0)
    return found


def _large_in(value: Any) -> Iterator[int]:
    waiting = [value]
    while waiting:
        match waiting.pop():
            case dict() as inner:
                waiting.extend(inner.values())
            case list() as inner:
                waiting.extend(inner)
            case int() as number if not _SMALLEST <= number <= _LARGEST:
                yield number
            case _:
                pass

"""JSON text as a value: strictly, because it is easier to mend before it is stored."""

import json
import math
import re
from collections.abc import Iterable
from itertools import chain
from typing import Any, Final, NoReturn

from dagster_pgflow.dsl.reading.bounds import (
    NOWHERE,
    place_at,
    refuse_again,
    refuse_levels,
    refuse_number,
    refuse_text,
    refuse_values,
    values_in,
)
from dagster_pgflow.dsl.reading.unreadable import Unreadable

CONSTANTS: Final = ("NaN", "Infinity", "-Infinity")
"""What Python reads, and JSON does not have."""

_TOKEN: Final = re.compile(
    r'(?P<text>"(?:[^"\\]|\\.)*")(?P<key>\s*:)?|(?P<open>[\[{])|(?P<close>[\]}])'
    r'|(?P<word>[^\[\]{}:,"\s]+)',
    re.DOTALL,
)


def read_json(text: str, *, is_counted: bool = True) -> Any:
    """Return the value that a JSON text stands for.

    Args:
        is_counted: Whether it may only hold so many values. Those of a definition are counted,
            those of an input are not.

    Raises:
        Unreadable: It is not JSON, has a key twice in one object, or is out of bounds.
    """
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_int=_whole,
            parse_float=_fraction,
        )
        _stay_in_bounds(value, is_counted=is_counted)
    except json.JSONDecodeError as error:
        raise Unreadable(place_at(text, error.pos), f"This is not JSON: {error.msg}.") from error
    except Unreadable as reason:
        raise _in_its_place(text, is_counted=is_counted) or reason from None
    except RecursionError:
        # Nothing else of Python's reader recurses.
        too_deep = Unreadable(NOWHERE, "This JSON is nested too deeply.")
        raise _in_its_place(text, is_counted=is_counted) or too_deep from None
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        refuse_again(key, found)
        found[key] = value
    return found


def _refuse_constant(constant: str) -> NoReturn:
    raise Unreadable(NOWHERE, f"{constant} is not a JSON value; leave it out, or write null.")


def _whole(text: str) -> int:
    refuse_number(text)
    return int(text)


def _fraction(text: str) -> float:
    refuse_number(text)
    number = float(text)
    if math.isinf(number):
        raise Unreadable(
            NOWHERE, f"The number {text} is larger than any that can be computed with."
        )
    return number


def _stay_in_bounds(value: Any, *, is_counted: bool) -> None:
    """Look at a value, level by level: it may be deeper than Python recurses."""
    count, levels = 0, 0
    level = [value]
    while level:
        for part in level:
            if isinstance(part, str):
                refuse_text(part)
        if is_counted:
            count += sum(map(values_in, level))
            refuse_values(count)
        inner = [part for part in level if isinstance(part, dict | list)]
        if inner:
            levels += 1
            refuse_levels(levels)
        level = list(chain.from_iterable(map(_parts, inner)))


def _parts(whole: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return chain(whole, whole.values()) if isinstance(whole, dict) else whole


def _in_its_place(text: str, *, is_counted: bool) -> Unreadable | None:
    """Look once more for what is refused, piece by piece, to say where it stands."""
    keys: list[set[str]] = []
    count = 0
    for token in _TOKEN.finditer(text):
        try:
            count += _values_of_token(token, keys)
            if is_counted:
                refuse_values(count)
        except Unreadable as reason:
            return Unreadable(place_at(text, token.start()), str(reason))
        except ValueError:
            return None  # What stands here is not JSON, which the first look did not come to.
    return None


def _values_of_token(token: re.Match[str], keys: list[set[str]]) -> int:
    """Return for how many values a piece counts; the keys of open objects are kept."""
    match token.lastgroup:
        case "open":
            keys.append(set())
            refuse_levels(len(keys))
            return 1
        case "close":
            del keys[-1:]
            return 0
        case "word":
            _refuse_word(token[0])
            return 1
        case _:
            text = json.loads(token["text"])
            refuse_text(text)
            if token["key"] and keys:
                refuse_again(text, keys[-1])
                keys[-1].add(text)
            return values_in(text)


def _refuse_word(word: str) -> None:
    if word in CONSTANTS:
        _refuse_constant(word)
    if word[0] == "-" or word[0].isdigit():
        (_whole if word.lstrip("-").isdigit() else _fraction)(word)

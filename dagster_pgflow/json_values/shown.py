"""Values and texts from outside as people see them in a sentence: in one line, and short.

Such a sentence goes into logs, terminals and web pages, so no character in it does anything there.
Of a large value only the beginning is looked at.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, Final

from dagster_pgflow.json_values.secret_names import keeps_secret

LONGEST_VALUE: Final = 80
"""Characters."""

HIDDEN: Final = "***"


def shown(value: Any, most: int = LONGEST_VALUE) -> str:
    """Return JSON as a text of bounded length; of what is cut, how much there is.

    Args:
        value: JSON.
        most: How many characters of it at most.

    >>> shown({"total": 3, "password": "x"}), shown("abcdef", 3)
    ('{"total": 3, "password": ***}', '"ab … (6 characters)')
    """
    text = ""
    for part in _parts(value, most):
        text += part
        if len(text) > most:
            return f"{text[:most]} …{_size(value)}"
    return text


def shown_at(path: str, value: Any, most: int = LONGEST_VALUE) -> str:
    """Return what stands at a path, unless its names say that it is a secret.

    Args:
        path: Such as `input.order.total`.
        value: JSON.
        most: How many characters of it at most.
    """
    return HIDDEN if keeps_secret(path, value) else shown(value, most)


def in_one_line(text: str, most: int) -> str:
    r"""Return a text without breaks, and of bounded length.

    Args:
        text: Any text.
        most: How many characters of it at most.

    >>> in_one_line("a\n  b\x1b[31m", 20)
    'a b\\u001b[31m'
    """
    # A text with many blanks becomes shorter; that of a whole book need not be looked at.
    line = _printable(" ".join(text[: 10 * most].split()))
    return line if len(line) <= most else f"{line[:most]} …"


def _parts(value: Any, most: int) -> Iterator[str]:
    """Yield JSON text piece by piece; of a text no more than is needed."""
    match value:
        case str():
            yield _quoted(value[: most + 1])
        case bool() | None | float():
            yield json.dumps(value)
        case int():
            yield _number(value)
        case Mapping():
            yield from _listed("{}", (_field(key, item, most) for key, item in value.items()))
        case Sequence():
            yield from _listed("[]", (_parts(item, most) for item in value))
        case _:
            yield f"({type(value).__name__})"


def _listed(brackets: str, items: Iterator[Iterator[str]]) -> Iterator[str]:
    yield brackets[0]
    for first in islice(items, 1):
        yield from first
    for item in items:
        yield ", "
        yield from item
    yield brackets[1]


def _field(key: object, value: Any, most: int) -> Iterator[str]:
    name = str(key)
    hides = keeps_secret(name, value)
    return chain((_quoted(name[: most + 1]), ": "), (HIDDEN,) if hides else _parts(value, most))


def _quoted(text: str) -> str:
    return _printable(json.dumps(text, ensure_ascii=False))


def _printable(text: str) -> str:
    """Return a text in which what has no picture of its own is written as in JSON."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text)


def _number(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # Python's own limit for the digits of an integer.
        return f"(a number of {value.bit_length()} bits)"


def _size(value: Any) -> str:
    match value:
        case str():
            return f" ({len(value):,} characters)"
        case Mapping():
            return f" ({len(value):,} keys)"
        case Sequence():
            return f" ({len(value):,} elements)"
        case _:
            return ""

"""What a text from outside may hold; every reader asks here, whatever language it reads.

What is within bounds is read in seconds, and whatever comes behind may walk through it. What is not
is refused where it begins, before it is made.
"""

from collections.abc import Collection
from typing import Any, Final

from dagster_pgflow.dsl.reading.unreadable import Unreadable
from dagster_pgflow.limits import MOST_DIGITS, MOST_LEVELS

MOST_VALUES: Final = 500_000
"""Of a definition, once each alias in it is replaced by what it stands for."""

CHARACTERS_OF_A_VALUE: Final = 20
"""A longer text counts as several values."""

NOWHERE: Final = "$"
"""The place of what a reader cannot place; it may know more, and say it."""

_DIGITS: Final = frozenset("0123456789abcdefABCDEF")
_SHOWN: Final = 20


def values_in(value: Any) -> int:
    """Return how many values one counts for, without those inside it."""
    return 1 + len(value) // CHARACTERS_OF_A_VALUE if isinstance(value, str) else 1


def refuse_values(count: int) -> None:
    """Refuse more values than `MOST_VALUES`, most of all those that aliases make of a few.

    Raises:
        Unreadable: There are more.
    """
    if count > MOST_VALUES:
        raise Unreadable(NOWHERE, f"From here on, the text holds more than {MOST_VALUES:,} values.")


def refuse_levels(levels: int) -> None:
    """Refuse what lies in more lists and objects than `MOST_LEVELS`.

    Raises:
        Unreadable: It does.
    """
    if levels > MOST_LEVELS:
        message = f"This is nested more than {MOST_LEVELS} levels deep; make it flatter."
        raise Unreadable(NOWHERE, message)


def refuse_number(text: str) -> None:
    """Refuse a number that is longer than `MOST_DIGITS`; it is not converted for that.

    Args:
        text: The number as it is written.

    Raises:
        Unreadable: It is.
    """
    if len(text) > MOST_DIGITS and sum(map(_DIGITS.__contains__, text)) > MOST_DIGITS:
        message = (
            f"The number {text[:_SHOWN]}… has more than {MOST_DIGITS:,} digits; make it a text."
        )
        raise Unreadable(NOWHERE, message)


def refuse_text(text: str) -> None:
    """Refuse a text that PostgreSQL cannot store.

    Raises:
        Unreadable: It has a NUL character, or is no Unicode.
    """
    if "\x00" in text:
        message = "The text has a NUL character, which PostgreSQL cannot store; remove it."
        raise Unreadable(NOWHERE, message)
    try:
        text.encode()
    except UnicodeEncodeError:
        message = "The text has a lone surrogate, which is not valid Unicode; remove it."
        raise Unreadable(NOWHERE, message) from None


def refuse_again(key: str, keys: Collection[str]) -> None:
    """Refuse a key that stands twice in one object.

    Raises:
        Unreadable: It is among the keys before it.
    """
    if key in keys:
        raise Unreadable(NOWHERE, f'The key "{key}" appears twice; remove or rename one.')


def place_at(text: str, offset: int) -> str:
    """Return the place of a character in words."""
    before = text.count("\n", 0, offset)
    return f"line {before + 1}, column {offset - text.rfind(chr(10), 0, offset)}"

"""How much a JSON value may be; `pgflow.json_problem` in SQL says the same in the same words.

Python reads no integer of more than 4,300 digits and recurses on what is nested, as Dagster's
serialisation does: what is stored must be far from both, whoever reads it and how deep in a call.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

from dagster_pgflow.limits import MOST_DIGITS, MOST_LEVELS
from dagster_pgflow.step_errors import ValueNotJson

TOO_DEEP: Final = f"it is nested more than {MOST_LEVELS} levels deep; make it flatter"
TOO_LONG: Final = (
    f"it has a number of more than {MOST_DIGITS:,} digits; write such a number as text"
)
TOO_LARGE: Final = (
    "it has a number with decimals that is 1e308 or more; write such a number as text"
)

_TOO_LONG: Final = 10**MOST_DIGITS


def problem_of(value: Any) -> str | None:
    """Return which limit a JSON value exceeds, as the end of a sentence, or `None`.

    Text, numbers, booleans and null have no levels; a list or an object is one level above its
    deepest element.

    >>> problem_of({"list": [[], 10**999]}), problem_of([10**1000])
    (None, 'it has a number of more than 1,000 digits; write such a number as text')
    """
    problem: str | None = None
    level: list[Any] = [value]
    # One level after the other, so that nothing here recurses.
    for _ in range(MOST_LEVELS + 1):
        below: list[Any] = []
        is_flat = True
        for part in level:
            match part:
                case bool() | str() | None:
                    pass
                case int() if is_too_long(part):
                    problem = problem or TOO_LONG
                case float() if not math.isfinite(part):
                    problem = problem or TOO_LARGE
                case Mapping():
                    is_flat = False
                    below.extend(part.values())
                case list() | tuple():
                    is_flat = False
                    below.extend(part)
        if is_flat:
            return problem
        level = below
    return TOO_DEEP


def is_too_long(number: int) -> bool:
    """Return whether an integer has too many digits."""
    return not -_TOO_LONG < number < _TOO_LONG


def refuse_beyond_limits(value: Any, meaning: str) -> None:
    """Raise when a JSON value is too much.

    Args:
        meaning: What it is, for the message: "The input of flow ...".

    Raises:
        ValueNotJson: It exceeds a limit.
    """
    problem = problem_of(value)
    if problem is not None:
        raise ValueNotJson(refusal(meaning, problem))


def refusal(meaning: str, problem: str) -> str:
    """Return the sentence that refuses a value; SQL says the same.

    >>> refusal('The input of flow "order"', TOO_DEEP)
    'The input of flow "order" is refused: it is nested more than 100 levels deep; make it flatter.'
    """
    return f"{meaning} is refused: {problem}."

"""What a branch or a loop decided, and why, as the end of a sentence that begins with its step."""

from collections.abc import Sequence
from typing import Final

from dagster_pgflow.reports.told import why_told

RULES_SHOWN: Final = 3
"""Of those that did not hold."""

STEPS_SHOWN: Final = 5


def route_told(taken: Sequence[str], label: str | None, condition: str) -> str:
    """Return which route a branch takes by a rule.

    Args:
        taken: The steps that the run goes on with.
        label: What the route is called, if it has a name.
        condition: What the condition of the rule said.

    >>> route_told(["pay"], "clear", "`output.n > 8` is true (output.n is 9)")
    'goes on with "pay", on its route "clear", since `output.n > 8` is true (output.n is 9)'
    """
    on = f', on its route "{label}",' if label else ""
    return why_told(f"{_goes_on(taken)}{on} since {condition}")


def default_told(taken: Sequence[str], unmet: Sequence[str]) -> str:
    """Return that a branch takes its default path.

    Args:
        taken: The steps that the run goes on with.
        unmet: What the conditions of its rules said.

    >>> default_told([], ["`output.paid` is false (output.paid is false)"])
    'goes on with no step, by default, since `output.paid` is false (output.paid is false)'
    """
    told = [*unmet[:RULES_SHOWN], *_more(unmet, RULES_SHOWN)]
    return why_told(f"{_goes_on(taken)}, by default, since {', '.join(told)}")


def again_told(iteration: int, most: int, condition: str) -> str:
    """Return that a loop goes round once more.

    Args:
        iteration: After which iteration, from 1.
        most: How many it may have.
        condition: What its condition said.
    """
    return why_told(f"goes round again after iteration {iteration} of {most} since {condition}")


def end_told(iteration: int, most: int, condition: str, taken: Sequence[str], *, met: bool) -> str:
    """Return that a loop ends, and where it leads.

    Args:
        iteration: After which iteration, from 1.
        most: How many it may have.
        condition: What its condition said.
        taken: The steps that only one of its exits leads to, as far as the run goes on with them.
        met: Whether the condition holds, so that it would go round again if it could.
    """
    why = f"though {condition}" if met else f"since {condition}"
    onwards = f", and {_goes_on(taken)}" if taken else ""
    return why_told(f"ends after iteration {iteration} of {most}, {why}{onwards}")


def _goes_on(taken: Sequence[str]) -> str:
    if not taken:
        return "goes on with no step"
    named = [*(f'"{slug}"' for slug in taken[:STEPS_SHOWN]), *_more(taken, STEPS_SHOWN)]
    return f"goes on with {', '.join(named)}"


def _more(listed: Sequence[str], most: int) -> list[str]:
    return [f"and {len(listed) - most} more"] if len(listed) > most else []

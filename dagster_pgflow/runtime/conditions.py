"""Whether a step's conditions hold: JSON containment as PostgreSQL's `@>` has it."""

from decimal import Decimal
from typing import Any

from dagster_pgflow.model.step import Step


def unmet_condition(step: Step, step_input: Any) -> str | None:
    """Return a sentence about the first condition that does not hold, or `None`.

    Args:
        step: The step.
        step_input: The flow input of a root step, `{dep: output}` of any other.
    """
    if step.if_ is not None and not contains(step_input, step.if_):
        return f"its input does not contain {step.if_}"
    if step.if_not is not None and contains(step_input, step.if_not):
        return f"its input contains {step.if_not}"
    return None


def contains(value: Any, pattern: Any) -> bool:
    """Say whether `value @> pattern` for the jsonb forms of both, where the pattern is an object.

    >>> contains({"a": [1, {"b": 2}], "c": 3}, {"a": [{"b": 2.0}]})
    True
    """
    match pattern:
        case dict():
            return isinstance(value, dict) and all(
                key in value and contains(value[key], wanted) for key, wanted in pattern.items()
            )
        case list():
            return isinstance(value, list) and all(
                any(contains(item, wanted) for item in value) for wanted in pattern
            )
        case _:
            # Python takes True for 1; jsonb does not.
            same_kind = isinstance(value, bool) == isinstance(pattern, bool)
            return same_kind and bool(_number(value) == _number(pattern))


def _number(value: Any) -> Any:
    """Return a float as the decimal number that its text says, which is what jsonb compares."""
    return Decimal(repr(value)) if isinstance(value, float) else value

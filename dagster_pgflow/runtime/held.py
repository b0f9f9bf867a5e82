"""What a handler takes and returns is held to the schemas of its step, as far as the step says."""

from collections.abc import Callable
from typing import Any, Final

from dagster_pgflow.model.steps.branch import Rule
from dagster_pgflow.model.steps.fields import JsonSchema, StepBase
from dagster_pgflow.model.steps.hooked import HookedStep
from dagster_pgflow.runtime.coercion import coerced
from dagster_pgflow.runtime.inputs import breach
from dagster_pgflow.step_errors import HandlerFailed, NonRetryable

Warn = Callable[[str], None]
MOST_WARNINGS: Final = 20
"""How many sentences about values one op writes; a map step has any number of elements."""


def held_input(step: StepBase, value: Any, place: str, warn: Warn) -> Any:
    """Return the input of a handler as its step wants it.

    Args:
        step: The step.
        value: The input.
        place: Where in the run: the path of the step, and the element of a map step.
        warn: Says what does not fit, where that fails nothing.

    Raises:
        NonRetryable: It does not fit, and the step is strict; it would not fit in another attempt.
    """
    held, sentence = _held(step, step_schema(step, "input"), value, f'The input of step "{place}"')
    if sentence is not None:
        _say(step, NonRetryable(sentence), warn)
    return held


def held_output(step: StepBase, value: Any, place: str, warn: Warn) -> Any:
    """Return the output of a handler as its step wants it.

    Args:
        step: The step.
        value: The output.
        place: Where in the run.
        warn: Says what does not fit, where that fails nothing.

    Raises:
        HandlerFailed: It does not fit, and the step is strict.
    """
    what = f'The output of step "{place}"'
    held, sentence = _held(step, step_schema(step, "output"), value, what)
    if sentence is not None:
        _say(step, HandlerFailed(sentence), warn)
    return held


def held_on_route(step: HookedStep, rule: Rule, value: Any, place: str, warn: Warn) -> Any:
    """Return the output of a branch as the rule that it takes wants it.

    Args:
        step: The branch.
        rule: The rule.
        value: The output.
        place: Where in the run.
        warn: Says what does not fit, where that fails nothing.

    Raises:
        HandlerFailed: It does not fit, and the step is strict.
    """
    named = f'"{rule.label}"' if rule.label is not None else f"`{rule.when}`"
    what = f'The output of step "{place}", which takes the route {named},'
    held, sentence = _held(step, rule.output_schema, value, what)
    if sentence is not None:
        _say(step, HandlerFailed(sentence), warn)
    return held


def step_schema(step: StepBase, which: str) -> JsonSchema | None:
    """Return the input or output schema of a step that has one."""
    schema: JsonSchema | None = getattr(step, f"{which}_schema", None)
    return schema


def _held(
    step: StepBase, schema: JsonSchema | None, value: Any, what: str
) -> tuple[Any, str | None]:
    """Return a value as a schema wants it, and what is wrong with it."""
    if schema is None or not isinstance(step, HookedStep):
        return value, None
    held = coerced(schema, value) if step.coerce else value
    reason = None if step.check_schemas == "off" else breach(schema, held)
    return held, reason and f"{what} does not fit its schema: {reason}."


def _say(step: StepBase, error: NonRetryable | HandlerFailed, warn: Warn) -> None:
    if isinstance(step, HookedStep) and step.check_schemas == "strict":
        raise error
    warn(str(error))

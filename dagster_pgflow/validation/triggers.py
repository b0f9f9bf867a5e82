"""A trigger names what it looks at, and its condition and its input can be made of an event."""

from collections.abc import Iterator
from typing import Final

from dagster_pgflow.errors import InvalidExpression, InvalidReference, Problem
from dagster_pgflow.expressions.cel import EVENT_ROOT, expression
from dagster_pgflow.expressions.references import ROOTS_OF_TRIGGERS, references_in, texts_in
from dagster_pgflow.json_values.limits import problem_of
from dagster_pgflow.model.trigger import EVENTS_OF_RUNS, Trigger
from dagster_pgflow.names import SLUG_RULE, is_valid_slug

ROOTS: Final = frozenset({EVENT_ROOT})
"""What a condition of a trigger may ask for."""


def problems_of_trigger(trigger: Trigger) -> Iterator[Problem]:
    """Yield every problem of a trigger that can be found without the store."""
    if not is_valid_slug(trigger.name):
        yield Problem(
            "invalid-slug", "name", f'"{trigger.name}" is not a valid trigger slug: {SLUG_RULE}.'
        )
    yield from _of_source(trigger)
    yield from _of_condition(trigger)
    yield from _of_input(trigger)


def _of_source(trigger: Trigger) -> Iterator[Problem]:
    of_event = {
        "asset_key": trigger.on_event == "asset.materialized",
        "signal_name": trigger.on_event == "signal",
    }
    for field, is_wanted in of_event.items():
        value = getattr(trigger, field)
        if is_wanted and not value:
            message = f'A trigger on "{trigger.on_event}" needs {field}.'
            yield Problem("missing-field", field, message)
        elif value is not None and not is_wanted:
            yield _unknown(field, trigger)
    if trigger.source_flow is not None and trigger.on_event not in EVENTS_OF_RUNS:
        yield _unknown("source_flow", trigger)
    if trigger.source_flow == trigger.target_flow and trigger.condition is None:
        yield Problem(
            "trigger-of-itself",
            "condition",
            f'Flow "{trigger.target_flow}" would start itself again and again; give the trigger a'
            " condition that some day does not hold.",
        )


def _unknown(field: str, trigger: Trigger) -> Problem:
    message = f'A trigger on "{trigger.on_event}" has no {field}; leave it out.'
    return Problem("unknown-field", field, message)


def _of_condition(trigger: Trigger) -> Iterator[Problem]:
    if trigger.condition is None:
        return
    try:
        expression(trigger.condition, ROOTS)
    except InvalidExpression as invalid:
        yield Problem("invalid-expression", "condition", str(invalid))


def _of_input(trigger: Trigger) -> Iterator[Problem]:
    problem = problem_of(trigger.input)
    if problem is not None:
        yield Problem("value-beyond-limits", "input", f"This value is refused: {problem}.")
        return
    for place, text in texts_in(trigger.input, "input"):
        try:
            list(references_in(text, roots=ROOTS_OF_TRIGGERS))
        except InvalidReference as invalid:
            yield Problem("invalid-reference", place, str(invalid))

"""The defaults of an input schema fit it, and end; a default answer fits the schema of answers."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from jsonschema.exceptions import best_match

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.defaults import MOST_INSIDE, UNASKED, PlacedDefault, defaults_in
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import WaitingStep
from dagster_pgflow.validation.bounded_schemas import TooMuchWork, breaches
from dagster_pgflow.validation.rule import KnownFlows

MOST_CHECKED: Final = 500
"""How many defaults are held against their schemas; each may cost a moment."""


def defaults_fit_and_end(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check what is filled into inputs: a run must not fail for what nobody gave it."""
    if flow.input_schema is None:
        return
    for default in islice(defaults_in(flow.input_schema), MOST_CHECKED):
        path = ".".join(("input_schema", *default.place, "default"))
        if default.value is UNASKED:
            yield Problem(
                "endless-default",
                path,
                f"The defaults inside this one never end, or are more than {MOST_INSIDE:,}; a part"
                " that refers to itself must not have a default in itself.",
            )
            continue
        try:
            reason = _reason(default, flow.input_schema)
        except TooMuchWork:
            return
        if reason:
            message = f"This default does not fit its own schema: {reason}; correct one of the two."
            yield Problem("invalid-default", path, message)


def default_answers_fit(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check what steps return as the answer that nobody gave."""
    for step in flow.steps:
        if not isinstance(step, WaitingStep) or step.default_answer is None:
            continue
        if step.answer_schema is None:
            continue
        default = PlacedDefault((), step.answer_schema, step.default_answer)
        try:
            reason = _reason(default, step.answer_schema)
        except TooMuchWork:
            continue
        if reason:
            yield Problem(
                "invalid-default",
                f"steps.{step.slug}.default_answer",
                f"This answer does not fit the answer_schema: {reason}; correct one of the two.",
            )


def _reason(default: PlacedDefault, whole: dict[str, Any]) -> str:
    """Return how a default breaks the schema it stands in; nothing where that cannot be told."""
    try:
        error = best_match(breaches(default.schema, default.value, whole))
    except TooMuchWork:
        raise
    except Exception:  # noqa: BLE001  # jsonschema stumbles over a bad schema in any way
        return ""
    if error is None:
        return ""
    place = error.json_path.removeprefix("$").removeprefix(".")
    return f"{place}: {error.message}" if place else error.message

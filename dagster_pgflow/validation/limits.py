"""The JSON values of a definition are within the limits of all JSON from outside."""

from collections.abc import Iterator
from typing import Any, Final

from dagster_pgflow.errors import Problem
from dagster_pgflow.json_values.limits import problem_of
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.rule import KnownFlows

_OF_FLOW: Final = ("input_schema", "output_schema")
_OF_STEP: Final = ("params", "if_", "if_not", "input", "output", "input_schema", "output_schema")


def values_are_within_limits(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check depth and digits of what steps, schedules and schemas hold."""
    for path, value in _values_of(flow):
        problem = problem_of(value)
        if problem is not None:
            message = f"This value is refused: {problem}."
            yield Problem("value-beyond-limits", path, message)


def _values_of(flow: Flow) -> Iterator[tuple[str, Any]]:
    for name in _OF_FLOW:
        yield name, getattr(flow, name)
    for step in flow.steps:
        for name in _OF_STEP:
            yield f"steps.{step.slug}.{name.rstrip('_')}", getattr(step, name, None)
    for schedule in flow.schedules:
        yield f"schedules.{schedule.slug}.input", schedule.input

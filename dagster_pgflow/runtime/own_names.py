"""What a handler sees of its step's definition, when the step came from a fragment.

In the flow its dependencies have a prefix, which is another one in each flow. The handler was
written once, with the names of the fragment, and receives those.
"""

from collections.abc import Mapping
from typing import Any

from dagster_pgflow.model.steps import HandledStep, MapStep
from dagster_pgflow.model.steps.data_map import merges_input
from dagster_pgflow.model.steps.fields import StepBase
from dagster_pgflow.names import NAMES_KEY


def named_for_handler(step: StepBase, value: Any) -> Any:
    """Return what a step was given with its dependencies under the names that the handler knows.

    Args:
        step: The step.
        value: What it was given, by the slugs of its dependencies.
    """
    own = _own_names(step)
    if not own or not isinstance(value, dict):
        return value
    return {own.get(slug, slug): output for slug, output in value.items()}


def deps_for_handler(step: StepBase) -> tuple[str, ...]:
    """Return the dependencies that have a key in the input of a step, as the handler knows them."""
    if isinstance(step, MapStep) or merges_input(step):
        return ()
    own = _own_names(step)
    return tuple(own.get(slug, slug) for slug in dict.fromkeys(step.depends_on))


def params_for_handler(step: StepBase) -> dict[str, Any]:
    """Return the constants that the author of the step gave it."""
    return {key: value for key, value in _params(step).items() if key != NAMES_KEY}


def _own_names(step: StepBase) -> Mapping[str, str]:
    names = _params(step).get(NAMES_KEY)
    if not isinstance(names, Mapping):
        return {}
    own = {slug: name for slug, name in names.items() if isinstance(name, str)}
    # Nobody checks what somebody writes there in SQL: two names that are one would lose a value.
    return own if len(set(own.values())) == len(own) else {}


def _params(step: StepBase) -> Mapping[str, Any]:
    return step.params if isinstance(step, HandledStep) else {}

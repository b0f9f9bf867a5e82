"""What is wrong with a document that has not the shape of a flow, and what was meant instead."""

import reprlib
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from dagster_pgflow.errors import MOST_PROBLEMS, Problem, more_problems
from dagster_pgflow.model.arguments import MEANT
from dagster_pgflow.model.flow import Flow, Schedule
from dagster_pgflow.model.guards import GUARDS
from dagster_pgflow.model.options import FlowOptions, StepOptions
from dagster_pgflow.model.steps import KINDS
from dagster_pgflow.model.steps.branch import Rule
from dagster_pgflow.model.webhook import Webhook

MEANT_IN_FILES = {
    **MEANT,
    "id": "slug",
    "name": "slug",
    "key": "slug",
    "kind": "type",
    "function": "handler",
    "retry": "max_attempts",
    "subflow": "flow",
    "workflow": "flow",
    "args": "params",
    "config": "params",
    "mapping": "input",
    "on_error": "on_failure",
    "catch": "on_failure",
    "timeout_step": "on_timeout",
    "for_each": "over",
    "foreach": "over",
    "default": "default_path",
    "otherwise": "default_path",
    "branches": "rules",
    "loop_back_to": "back_to",
    "while": "condition",
    "condition": "when",
    "if": "when",
    "to": "then",
    "targets": "then",
}
"""What other systems call our fields, where the letters do not tell."""

Place = tuple[str | int, ...]


def problems_of_shape(error: ValidationError) -> list[Problem]:
    """Return what pydantic says about a flow's document, in our words."""
    found = error.errors(include_url=False)
    problems = [problem_of_shape(details) for details in found[:MOST_PROBLEMS]]
    return [*problems, more_problems()] if len(found) > MOST_PROBLEMS else problems


def meant_field(place: Place) -> str | None:
    """Return the field of the same object that a field which does not exist must have meant.

    Args:
        place: Where pydantic found the field.
    """
    *outer, name = place
    names = field_names(model_at(tuple(outer)))
    meant = MEANT_IN_FILES.get(str(name))
    if meant in names:
        return meant
    return next(iter(get_close_matches(str(name), names, 1)), None)


def model_at(place: Place) -> type[BaseModel] | None:
    """Return what stands at a place of a flow's document, if it is more than a value."""
    found: type[BaseModel] | None = None
    match place:
        case ():
            found = Flow
        case ("options",):
            found = FlowOptions
        case ("options", "on_event"):
            found = Webhook
        case ("schedules", int()):
            found = Schedule
        case ("steps", int(), str(kind)):
            found = KINDS.get(kind)
        case ("steps", int(), str(), "options"):
            found = StepOptions
        case ("steps", int(), "branch", "rules", int()):
            found = Rule
        case ("steps", int(), str(), str(guard)) if guard in GUARDS:
            found = GUARDS[guard]
    return found


def field_names(model: type[BaseModel] | None) -> list[str]:
    """Return the fields of an object, as documents write them."""
    fields = {} if model is None else model.model_fields
    return [field.alias or name for name, field in fields.items()]


def problem_of_shape(details: Any) -> Problem:
    """Return one thing that pydantic says about a flow's document, in our words."""
    place: Place = details["loc"]
    path = _path_of(place)
    match details["type"]:
        case "union_tag_invalid" | "union_tag_not_found":
            return Problem("unknown-step-type", path, _about_type(details["ctx"].get("tag")))
        case "extra_forbidden":
            message = f"There is no such field here; {_advice(place)}."
            return Problem("unknown-field", path, message)
        case "missing":
            return Problem("missing-field", path, "This field is required; add it.")
        case "tuple_type":
            wanted = "Input should be a list"
        case "dict_type" | "model_type" | "model_attributes_type":
            wanted = "Input should be an object"
        case _:
            wanted = details["msg"]
    return Problem("wrong-value", path, f"{wanted}; got {reprlib.repr(details['input'])}.")


def _about_type(given: str | None) -> str:
    stated = f'"{given}" is not a type of step' if given else "The step has no type"
    meant = None if given is None else meant_type(given)
    hint = "" if meant is None else f'"{meant}" may be meant; '
    return f"{stated}; {hint}use one of: {', '.join(KINDS)}."


def meant_type(given: Any) -> str | None:
    """Return the type of step that a word stands for which is none, if the letters tell."""
    return next(iter(get_close_matches(str(given).lower(), KINDS, 1)), None)


def _advice(place: Place) -> str:
    """Return what to do about a field that does not exist."""
    *outer, last = place
    name, model = str(last), model_at(tuple(outer))
    if model in KINDS.values():
        return _advice_in_step(place, name)
    around = None if outer[-1:] != ["options"] else model_at(tuple(outer[:-1]))
    if name in field_names(around):
        return 'write it beside "options", not inside'
    meant = meant_field(place)
    return "remove it" if meant is None else f'"{meant}" may be meant'


def _advice_in_step(place: Place, name: str) -> str:
    if name in StepOptions.model_fields:
        return 'write it inside "options"'
    others = [kind for kind, model in KINDS.items() if name in field_names(model)]
    if others:
        return f"only a step of type {' or '.join(others)} has it"
    # A word that others use says more than letters that are alike.
    is_known = MEANT_IN_FILES.get(name) in StepOptions.model_fields
    meant = None if is_known else meant_field(place)
    if meant is not None:
        return f'"{meant}" may be meant'
    within = meant_field((*place[:-1], "options", name))
    return "remove it" if within is None else f'"{within}" inside "options" may be meant'


def _path_of(place: Place) -> str:
    """Return where in the document; pydantic names a step's type behind its index."""
    match place:
        case ("steps", index, _, *inside):
            return ".".join(map(str, ("steps", index, *inside)))
        case _:
            return ".".join(map(str, place)) or "$"

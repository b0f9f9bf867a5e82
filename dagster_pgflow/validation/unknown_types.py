"""Steps of types that there are not: which is meant, and what else is wrong with them."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import KINDS
from dagster_pgflow.validation.shape import field_names, meant_type, problem_of_shape


def problems_behind_types(document: Any) -> Iterator[Problem]:
    """Yield what is wrong with the fields of steps whose type there is not.

    Nothing is said of a field that steps of some type have: that may be the one that is meant.

    Args:
        document: A flow's document, written out.
    """
    steps = document.get("steps") if isinstance(document, dict) else None
    if not isinstance(steps, list):
        return
    guessed = {
        index: _kind_of(step)
        for index, step in enumerate(steps)
        if isinstance(step, dict) and not _has_type(step)
    }
    if not guessed:
        return
    named = [
        {**step, "type": guessed[index]} if index in guessed else step
        for index, step in enumerate(steps)
    ]
    for details in _wrong({**document, "steps": named}):
        match details["loc"]:
            case ("steps", int(index), _, *inside) if index in guessed:
                if not _may_be_of_another_type(details["type"], inside):
                    yield problem_of_shape(details)


def _has_type(step: dict[Any, Any]) -> bool:
    given = step.get("type")
    return isinstance(given, str) and given in KINDS


def _kind_of(step: dict[Any, Any]) -> str:
    """Return the type that is named like its own, or has most of its fields."""
    meant = meant_type(step.get("type"))
    if meant is not None:
        return meant
    return max(KINDS, key=lambda kind: len(step.keys() & {*field_names(KINDS[kind])}))


def _may_be_of_another_type(code: str, inside: list[Any]) -> bool:
    match inside:
        case [name] if code == "missing":
            return bool(name != "slug")
        case [name] if code == "extra_forbidden":
            return any(name in field_names(kind) for kind in KINDS.values())
        case _:
            return False


def _wrong(document: dict[str, Any]) -> list[Any]:
    try:
        Flow.model_validate(document)
    except ValidationError as error:
        return list(error.errors(include_url=False))
    return []

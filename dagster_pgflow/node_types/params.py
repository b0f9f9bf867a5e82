"""Whether the params of a step are what its handler takes.

Before a run their references have no values yet: what depends on one is not judged then.
"""

import json
import reprlib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import TypeAdapter, ValidationError

from dagster_pgflow.expressions.references import is_filled_in
from dagster_pgflow.node_types.config import ParamProblem

JUDGED_ALWAYS = ("missing", "extra_forbidden")
"""What no value of a reference can put right."""


def params_of_type(adapter: TypeAdapter[Any], params: Mapping[str, Any]) -> Any:
    """Return params as what a handler takes.

    Raises:
        ValidationError: They are something else.
    """
    # As JSON, so that a strict model takes a date from its text.
    return adapter.validate_json(json.dumps(params))


def problems_in_template(
    error: ValidationError,
    adapter: TypeAdapter[Any],
    params: Mapping[str, Any],
    name: str,
    literal: frozenset[str] = frozenset(),
) -> Iterator[ParamProblem]:
    """Yield what is wrong with params whose references have no values yet.

    Args:
        error: What pydantic says.
        adapter: What the handler takes.
        name: The handler's name.
        literal: The fields that are no templates.
    """
    for place, details in _by_place(error, params).items():
        is_literal = place.partition(".")[0].partition("[")[0] in literal
        waits = details["type"] not in JUDGED_ALWAYS and not is_literal
        if not (waits and is_filled_in(_at(details["loc"], params)[1])):
            yield _problem(place, details, name, adapter, shown=reprlib.repr(details["input"]))


def problems_in_values(
    error: ValidationError, adapter: TypeAdapter[Any], params: Mapping[str, Any], name: str
) -> Iterator[ParamProblem]:
    """Yield what is wrong with params that have their values; these, which may be secrets, untold.

    Args:
        error: What pydantic says.
        adapter: What the handler takes.
        name: The handler's name.
    """
    for place, details in _by_place(error, params).items():
        yield _problem(place, details, name, adapter)


def _by_place(error: ValidationError, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return one error for each place: pydantic has one for each form that a value could have."""
    found: dict[str, Any] = {}
    for details in error.errors(include_url=False):
        found.setdefault(_at(details["loc"], params)[0], details)
    return found


def _at(location: tuple[str | int, ...], params: Any) -> tuple[str, Any]:
    """Return where pydantic means, and what stands there.

    It names fields that are missing, and between the names the forms that a value could have.
    """
    place, value = "", params
    for depth, part in enumerate(location, 1):
        match value:
            case dict() if part in value:
                value, place = value[part], f"{place}.{part}" if place else str(part)
            case list() if isinstance(part, int) and part < len(value):
                value, place = value[part], f"{place}[{part}]"
            case dict() if depth == len(location):
                place = f"{place}.{part}" if place else str(part)
    return place, value


def _problem(
    place: str, details: Any, name: str, adapter: TypeAdapter[Any], shown: str | None = None
) -> ParamProblem:
    field = str(details["loc"][-1]) if details["loc"] else ""
    match details["type"]:
        case "extra_forbidden":
            advice = _advice(field, adapter) if len(details["loc"]) == 1 else "remove it"
            return ParamProblem(
                "unknown-param", place, f'{name} takes no param "{field}"; {advice}.'
            )
        case "missing":
            return ParamProblem(
                "missing-param", place, f'{name} needs "{field}"; add it to the params.'
            )
    said = details["msg"].removeprefix("Value error, ")
    return ParamProblem("wrong-param", place, f"{said}; got {shown}." if shown else f"{said}.")


def _advice(field: str, adapter: TypeAdapter[Any]) -> str:
    properties = list(adapter.json_schema().get("properties", ()))
    meant = get_close_matches(field, properties, 1)
    return f'"{meant[0]}" may be meant' if meant else f"there are: {', '.join(properties)}"

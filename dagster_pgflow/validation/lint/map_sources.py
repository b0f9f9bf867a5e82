"""A map step is fed a list, as far as schemas tell."""

from collections.abc import Iterator, Mapping
from typing import Any

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug
from dagster_pgflow.model.step import (
    BranchStep,
    JoinStep,
    LoopStep,
    MapStep,
    SingleStep,
    Step,
    SubflowStep,
)
from dagster_pgflow.validation.rule import KnownFlows

DEEPEST = 50


def maps_are_fed_lists(flow: Flow, known: KnownFlows) -> Iterator[Problem]:
    """Look for maps over something that is never a list."""
    steps = by_slug(flow)
    for step in flow.steps:
        match step:
            case MapStep() if reason := _no_list(flow, step, steps):
                yield Problem(
                    "map-over-no-list",
                    f"steps.{step.slug}.depends_on",
                    f'Map step "{step.slug}" maps over {reason}; it needs a list.',
                )
            case SubflowStep(over=None) if _gives_object(step) and known and step.flow in known:
                yield from _root_maps_inside(step, known[step.flow])


def _no_list(flow: Flow, step: MapStep, steps: Mapping[str, Step]) -> str:
    """Return what a map maps over, when that is no list."""
    if not step.depends_on:
        is_list = may_be_list(flow.input_schema)
        return "" if is_list else "the flow's input, which is no list by its input_schema"
    match steps.get(step.depends_on[0]):
        case SingleStep() as source if not may_be_list(source.output_schema):
            return f'the output of "{source.slug}", which is no list by its output_schema'
        case JoinStep() as source:
            return f'the output of join "{source.slug}", an object of its dependencies'
        case BranchStep() | LoopStep() as source if _hands_on_object(source):
            return f'what "{source.slug}" hands on, an object of its dependencies'
        case SubflowStep(over=None, output=None) as source:
            return f'the output of subflow "{source.slug}", an object of its final steps'
        case _:
            return ""


def _hands_on_object(source: BranchStep | LoopStep) -> bool:
    return not source.needs_handler and len(set(source.depends_on)) > 1


def _gives_object(step: SubflowStep) -> bool:
    return bool(step.depends_on) or step.input is not None


def _root_maps_inside(step: SubflowStep, inner: Flow) -> Iterator[Problem]:
    for root in inner.steps:
        if isinstance(root, MapStep) and not root.depends_on:
            yield Problem(
                "map-over-no-list",
                f"steps.{step.slug}.flow",
                f'Map step "{root.slug}" of flow "{inner.slug}" maps over that flow\'s input, and'
                f' step "{step.slug}" gives it an object; it needs a list.',
            )


def may_be_list(schema: Any) -> bool:
    """Say whether a JSON Schema allows a list, as far as that is easily seen.

    >>> may_be_list({"type": ["array", "null"]}), may_be_list({"type": "object"})
    (True, False)
    """
    return _allows_list(schema, schema, set(), DEEPEST)


def _allows_list(schema: Any, whole: Any, seen: set[str], depth: int) -> bool:
    """Say yes also when in doubt: what refers to a part a second time is not followed again."""
    if schema is False:
        return False
    if not isinstance(schema, dict) or depth == 0:
        return True

    def allows(part: Any) -> bool:
        return _allows_list(part, whole, seen, depth - 1)

    types = schema.get("type", "array")
    values = schema.get("enum", [schema.get("const", [])])
    return (
        ("array" in types if isinstance(types, list) else types == "array")
        and (not isinstance(values, list) or any(isinstance(value, list) for value in values))
        and all(allows(part) for part in _parts(schema, "allOf"))
        and all(
            any(allows(part) for part in _parts(schema, word))
            for word in ("anyOf", "oneOf")
            if _parts(schema, word)
        )
        and allows(_referred(schema.get("$ref"), whole, seen))
    )


def _parts(schema: Mapping[str, Any], word: str) -> list[Any]:
    parts = schema.get(word)
    return parts if isinstance(parts, list) else []


def _referred(reference: Any, whole: Any, seen: set[str]) -> Any:
    """Return the part of a schema that a reference within it names, if it is found and new."""
    if not isinstance(reference, str) or not reference.startswith("#/") or reference in seen:
        return None
    seen.add(reference)
    found = whole
    for key in reference[2:].split("/"):
        found = found.get(key) if isinstance(found, dict) else None
    return found

"""The schemas of a flow are JSON Schemas."""

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from dagster_pgflow.errors import Problem
from dagster_pgflow.expressions.patterns import UnusablePattern, is_found
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import BranchStep, HookedStep, WaitingStep
from dagster_pgflow.validation.rule import KnownFlows

_NAMED_PARTS = frozenset(
    {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}
)
_LISTED_PARTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_PARTS = frozenset(
    {"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"}
    | {"unevaluatedItems", "unevaluatedProperties"}
)


def schemas_are_json_schemas(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check the schemas that runs are held to; else those of steps only describe handlers."""
    for name, schema in _schemas_of(flow):
        yield from schema_problems(name, schema)


def _schemas_of(flow: Flow) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each schema that a run may be held to, with its path."""
    for name in ("input_schema", "output_schema"):
        schema = getattr(flow, name)
        if schema is not None:
            yield name, schema
    for step in flow.steps:
        if isinstance(step, HookedStep) and (step.coerce or step.check_schemas != "off"):
            for name in ("input_schema", "output_schema"):
                schema = getattr(step, name)
                if schema is not None:
                    yield f"steps.{step.slug}.{name}", schema
        if isinstance(step, WaitingStep) and step.answer_schema is not None:
            yield f"steps.{step.slug}.answer_schema", step.answer_schema
        for index, rule in enumerate(step.rules if isinstance(step, BranchStep) else ()):
            if rule.output_schema is not None:
                yield f"steps.{step.slug}.rules[{index}].output_schema", rule.output_schema


def schema_problems(name: str, schema: dict[str, Any]) -> Iterator[Problem]:
    """Say why something is no JSON Schema, or one that cannot be used.

    Args:
        name: Where it stands.
        schema: An object.
    """
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        path = error.json_path.replace("$", name, 1)
        yield Problem("invalid-schema", path, f"This is not a JSON Schema: {error.message}.")
    except RecursionError:
        yield Problem("invalid-schema", name, "The schema is nested too deeply to be checked.")
    else:
        yield from _unusable_patterns(name, schema)


def _unusable_patterns(name: str, schema: dict[str, Any]) -> Iterator[Problem]:
    for pattern in dict.fromkeys(_patterns_in(schema)):
        try:
            is_found(pattern, "")
        except UnusablePattern as unusable:
            yield Problem(
                "unusable-pattern",
                name,
                f"The pattern `{pattern}` cannot be used, {unusable}; patterns are those of RE2,"
                " which looks neither ahead nor back.",
            )


def _patterns_in(schema: dict[str, Any]) -> Iterator[str]:
    """Yield the regular expressions of a schema; what is data in it is not looked at."""
    waiting: list[Any] = [schema]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, dict):
            continue
        if isinstance(part.get("pattern"), str):
            yield part["pattern"]
        for word, inner in part.items():
            if word in _NAMED_PARTS and isinstance(inner, dict):
                yield from inner if word == "patternProperties" else ()
                waiting.extend(inner.values())
            elif word in _LISTED_PARTS and isinstance(inner, list):
                waiting.extend(inner)
            elif word in _PARTS:
                waiting.append(inner)

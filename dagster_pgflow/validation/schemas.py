"""The schemas of a flow are JSON Schemas."""

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.rule import KnownFlows


def schemas_are_json_schemas(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check the schemas that runs are held to; those of steps only describe their handlers."""
    for name in ("input_schema", "output_schema"):
        schema = getattr(flow, name)
        if schema is not None:
            yield from _mistake(name, schema)


def _mistake(name: str, schema: dict[str, Any]) -> Iterator[Problem]:
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        path = error.json_path.replace("$", name, 1)
        yield Problem("invalid-schema", path, f"This is no JSON Schema: {error.message}.")
    except RecursionError:
        yield Problem("invalid-schema", name, "The schema is nested too deeply to be checked.")

"""The JSON Schema of flows in files, for editors and for those that write flows."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from dagster_pgflow.dsl.workflow.shape import DIALECT
from dagster_pgflow.model.described import described_schema
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import ARGUMENTS, KINDS
from dagster_pgflow.validation.short_forms import DEFAULT_TYPE, EDITORS_KEY

_PROBES: Final = ("x", 1)
"""One text and one number: what stands for a list of one where the field says so."""


def flow_schema() -> dict[str, Any]:
    """Return the JSON Schema of a flow in a file, its short forms included."""
    schema = described_schema(Flow)
    definitions = schema["$defs"]
    for kind, step in KINDS.items():
        definition = definitions[step.__name__]
        properties = definition["properties"]
        properties |= dict(_short_forms(properties))
        if kind != DEFAULT_TYPE:
            definition["required"] = ["type", *definition["required"]]
    then = definitions["Rule"]["properties"]
    then["then"] = _or_one(then["then"])
    properties = {EDITORS_KEY: _EDITORS_PROPERTY, **schema.pop("properties")}
    return {"$schema": DIALECT, **schema, "properties": properties}


_EDITORS_PROPERTY: Final = {
    "type": "string",
    "description": "The JSON Schema that an editor checks it by.",
    "examples": ["flow.schema.json"],
}


def _short_forms(properties: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the fields that take one value in the place of a list."""
    for name, field in properties.items():
        if name in ARGUMENTS and field.get("type") == "array" and _takes_one(name):
            yield name, _or_one(field)


def _takes_one(name: str) -> bool:
    return any(isinstance(ARGUMENTS[name].read(probe), tuple) for probe in _PROBES)


def _or_one(field: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a list, or of one of what it holds."""
    forms = {name: field[name] for name in ("type", "items")}
    rest = {name: value for name, value in field.items() if name not in forms}
    return {"anyOf": [field["items"], forms], **rest}

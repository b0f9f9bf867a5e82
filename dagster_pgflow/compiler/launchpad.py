"""What stands in the launchpad before somebody types: an example of the flow's input."""

from typing import Any

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import known_deps
from dagster_pgflow.model.step import MapStep

_EXAMPLES: dict[str, Any] = {
    "string": "",
    "integer": 0,
    "number": 0.0,
    "boolean": False,
    "array": [],
    "object": {},
    "null": None,
}


def example_input(flow: Flow) -> Any:
    """Return an input of the right shape: from the input schema, else from the root steps."""
    if flow.input_schema is not None:
        return _example(flow.input_schema, flow.input_schema)
    deps = known_deps(flow)
    roots = [step for step in flow.steps if not deps[step.slug]]
    return [] if roots and all(isinstance(step, MapStep) for step in roots) else {}


def _example(schema: dict[str, Any], whole: dict[str, Any]) -> Any:
    for given in ("default", "const"):
        if given in schema:
            return schema[given]
    if schema.get("examples") or schema.get("enum"):
        return (schema.get("examples") or schema["enum"])[0]
    if "$ref" in schema:
        return _example(_resolve(schema["$ref"], whole), whole)
    if schema.get("type") == "object":
        required = schema.get("required", ())
        fields = schema.get("properties", {})
        return {name: _example(fields.get(name, {}), whole) for name in required}
    return _EXAMPLES.get(str(schema.get("type")), {})


def _resolve(reference: str, whole: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference inside the same document, such as `#/$defs/Card`."""
    found: Any = whole
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part, {}) if isinstance(found, dict) else {}
    return found if isinstance(found, dict) else {}

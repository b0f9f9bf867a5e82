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
# A schema may contain itself.
_DEEPEST = 8


def example_input(flow: Flow) -> Any:
    """Return an input of the right shape: from the input schema, else from the root steps."""
    if flow.input_schema is not None:
        return _example(flow.input_schema, flow.input_schema, _DEEPEST)
    deps = known_deps(flow)
    roots = [step for step in flow.steps if not deps[step.slug]]
    return [] if roots and all(isinstance(step, MapStep) for step in roots) else {}


def _example(schema: Any, whole: dict[str, Any], levels: int) -> Any:
    """Return an example of a part of a sound schema, which may be `true` for anything."""
    if not isinstance(schema, dict) or levels == 0:
        return {}
    for given in ("default", "const"):
        if given in schema:
            return schema[given]
    if schema.get("examples") or schema.get("enum"):
        return (schema.get("examples") or schema["enum"])[0]
    inner = _stand_in(schema, whole)
    if inner is not None:
        return _example(inner, whole, levels - 1)
    kinds = schema.get("type")
    kind = kinds[0] if isinstance(kinds, list) and kinds else kinds
    if kind == "object":
        fields = schema.get("properties", {})
        required = schema.get("required", ())
        return {name: _example(fields.get(name), whole, levels - 1) for name in required}
    return _EXAMPLES.get(str(kind), {})


def _stand_in(schema: dict[str, Any], whole: dict[str, Any]) -> Any:
    """Return the schema that one refers to, or the first that it combines, or `None`."""
    if "$ref" in schema:
        return _resolve(schema["$ref"], whole)
    choices = (schema.get(word) for word in ("anyOf", "oneOf", "allOf"))
    return next((choice[0] for choice in choices if choice), None)


def _resolve(reference: str, whole: dict[str, Any]) -> Any:
    """Follow a reference inside the same document, such as `#/$defs/Card`."""
    found: Any = whole
    for part in reference.removeprefix("#").split("/")[1:]:
        found = found.get(part, {}) if isinstance(found, dict) else {}
    return found

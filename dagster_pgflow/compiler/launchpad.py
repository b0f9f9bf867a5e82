"""What people see of a flow's input in Dagster before they launch a run: an example, and defaults.

The example is shown where nobody launches it: it is text in the description of the job. What stands
in the launchpad before somebody types is what a run without config gets anyway.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from dagster_pgflow.json_values.sealed import seal
from dagster_pgflow.model.defaults import input_of_run
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import known_deps
from dagster_pgflow.model.schema import referred_schema
from dagster_pgflow.model.steps import MapStep
from dagster_pgflow.runtime.inputs import breach
from dagster_pgflow.step_errors import ValueNotJson

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
_DEEPEST: Final = 8
_MOST_PARTS: Final = 200
_LONGEST: Final = 4_000


def default_input(flow: Flow) -> Any:
    """Return what a run gets that is launched without config; nothing special where that is long.

    >>> default_input(Flow("f", input_schema={"properties": {"n": {"default": 3}}}))
    {'n': 3}
    """
    found = input_of_run(flow.input_schema)
    try:
        sealed = seal(found)
        is_short = sealed == found and len(json.dumps(found)) <= _LONGEST
    except ValueNotJson:
        is_short = False
    return found if is_short else {}


def shown_example(flow: Flow) -> str:
    """Return an example of a flow's input as markdown, where there is something to show."""
    example = example_input(flow)
    if example in ({}, None):
        return ""
    try:
        text = json.dumps(example, indent=2)
    except (ValueError, RecursionError):
        return ""
    if len(text) > _LONGEST or "```" in text or breach(flow.input_schema, example) is not None:
        return ""
    return f"An input looks like this:\n\n```json\n{text}\n```"


def example_input(flow: Flow) -> Any:
    """Return an input of the right shape: from the input schema, else from the root steps."""
    if flow.input_schema is not None:
        return _Examples(flow.input_schema).of(flow.input_schema, _DEEPEST)
    deps = known_deps(flow)
    roots = [step for step in flow.steps if not deps[step.slug]]
    return [] if roots and all(isinstance(step, MapStep) for step in roots) else {}


class _Examples:
    """Makes up values for the parts of one sound schema, as many as somebody would look at."""

    def __init__(self, whole: Mapping[str, Any]) -> None:
        self._whole = whole
        self._left = _MOST_PARTS

    def of(self, schema: Any, levels: int) -> Any:
        """Return an example of a part, which may be `true` for anything."""
        self._left -= 1
        if not isinstance(schema, dict) or levels == 0 or self._left < 0:
            return {}
        for given in ("default", "const"):
            if given in schema:
                return schema[given]
        if schema.get("examples") or schema.get("enum"):
            return (schema.get("examples") or schema["enum"])[0]
        inner = self._stand_in(schema)
        if inner is not None:
            return self.of(inner, levels - 1)
        kinds = schema.get("type")
        kind = kinds[0] if isinstance(kinds, list) and kinds else kinds
        if kind == "object":
            fields = schema.get("properties", {})
            required = schema.get("required", ())[:_MOST_PARTS]
            return {name: self.of(fields.get(name), levels - 1) for name in required}
        return _EXAMPLES.get(str(kind), {})

    def _stand_in(self, schema: Mapping[str, Any]) -> Any:
        """Return the schema that one refers to, or the first that it combines, or `None`."""
        if "$ref" in schema:
            return referred_schema(schema["$ref"], self._whole)
        choices = (schema.get(word) for word in ("anyOf", "oneOf", "allOf"))
        return next((choice[0] for choice in choices if choice), None)

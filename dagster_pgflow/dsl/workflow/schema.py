"""The JSON Schema of workflow documents, for editors and for those that write documents."""

import inspect
import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from dagster_pgflow.dsl.workflow.settings_shape import NodeSettings
from dagster_pgflow.dsl.workflow.shape import (
    DIALECT,
    ConditionalConfig,
    JoinConfig,
    Loop,
    MapConfig,
    SubflowConfig,
    Workflow,
)
from dagster_pgflow.dsl.workflow.waiting_shape import HITL, WAITING, WaitingConfig

CONFIGS: Final[Mapping[str, type[BaseModel]]] = {
    "conditional": ConditionalConfig,
    "loop": Loop,
    "join": JoinConfig,
    "map": MapConfig,
    "subflow": SubflowConfig,
    **{kind: config for kind, config in WAITING.items() if kind != HITL},
}
"""What the config of a type of node holds besides params."""

WITHOUT_PARAMS: Final = ("subflow", *WAITING)
APART: Final = ("loop",)
"""The types whose config may stand in a field of the same name instead."""

_ATTRIBUTE: Final = re.compile(r"^    (\w+): (.+(?:\n {6,}.+)*)", re.MULTILINE)


def workflow_schema() -> dict[str, Any]:
    """Return the JSON Schema of a workflow document."""
    schema = Workflow.model_json_schema(by_alias=True, ref_template="#/$defs/{model}")
    definitions = schema["$defs"]
    conditions = [_config_of(kind, definitions) for kind in CONFIGS]
    definitions["Node"]["allOf"] = conditions
    for one in (schema, *definitions.values()):
        _describe(one, one.get("description", ""))
    _describe(definitions["Node"], inspect.getdoc(NodeSettings) or "", keeps_text=True)
    return {"$schema": DIALECT, **schema}


def _config_of(kind: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return what the config of one type of node must be; params may stand beside it."""
    config = CONFIGS[kind].model_json_schema(ref_template="#/$defs/{model}")
    definitions |= config.pop("$defs", {})
    _describe(config, config.get("description", ""))
    for one in CONFIGS[kind].__mro__:
        if issubclass(one, WaitingConfig):
            _describe(config, inspect.getdoc(one) or "", keeps_text=True)
    wanted: dict[str, Any] = {"type": "object", "properties": config["properties"]}
    if kind in WITHOUT_PARAMS:
        wanted["additionalProperties"] = False
    then: dict[str, Any] = {"properties": {"config": {"anyOf": [wanted, {"type": "null"}]}}}
    if "required" in config:
        whole = {**wanted, "required": config["required"]}
        then = {"required": ["config"], "properties": {"config": whole}}
    if kind in APART:
        then = {"anyOf": [{"required": [kind]}, then]}
    return {"if": {"properties": {"type": {"const": kind}}}, "then": then}


def _describe(definition: dict[str, Any], text: str, *, keeps_text: bool = False) -> None:
    """Say of each property what the text says of the attribute of that name."""
    about, _, attributes = text.partition("\n\nAttributes:\n")
    if about and not keeps_text:
        definition["description"] = about
    properties = definition.get("properties", {})
    for name, sentence in _ATTRIBUTE.findall(attributes):
        written = next((one for one in properties if one.strip("$") == name.rstrip("_")), None)
        if written is not None:
            properties[written] = {
                **properties[written],
                "description": " ".join(sentence.split()),
            }

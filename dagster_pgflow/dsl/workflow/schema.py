"""The JSON Schema of workflow documents, for editors and for those that write documents."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from pydantic import BaseModel

from dagster_pgflow.dsl.workflow.config_shape import (
    ConditionalConfig,
    JoinConfig,
    Loop,
    MapConfig,
    SubflowConfig,
)
from dagster_pgflow.dsl.workflow.shape import DIALECT, Workflow
from dagster_pgflow.dsl.workflow.waiting_shape import HITL, WAITING
from dagster_pgflow.model.described import described_schema

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


def workflow_schema() -> dict[str, Any]:
    """Return the JSON Schema of a workflow document."""
    schema = described_schema(Workflow)
    definitions = schema["$defs"]
    definitions["Node"]["allOf"] = [_config_of(kind, definitions) for kind in CONFIGS]
    return {"$schema": DIALECT, **schema}


def _config_of(kind: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return what the config of one type of node must be; params may stand beside it."""
    config = described_schema(CONFIGS[kind])
    definitions |= config.pop("$defs", {})
    needed = config.get("required", ())
    wanted: dict[str, Any] = {"type": "object", "properties": config["properties"]}
    if kind in WITHOUT_PARAMS:
        wanted["additionalProperties"] = False
    about = {
        "description": config["description"],
        "examples": [_example(config["properties"], needed)],
    }
    then: dict[str, Any] = {
        "properties": {"config": {"anyOf": [wanted, {"type": "null"}], **about}}
    }
    if needed:
        whole = {**wanted, "required": needed, **about}
        then = {"required": ["config"], "properties": {"config": whole}}
    if kind in APART:
        then = {"anyOf": [{"required": [kind]}, then]}
    return {"if": {"properties": {"type": {"const": kind}}}, "then": then}


def _example(properties: Mapping[str, Any], needed: Collection[str]) -> dict[str, Any]:
    """Return a config with all that it must have, or with the first thing that it may."""
    names = needed or [*properties][:1]
    return {name: properties[name]["examples"][0] for name in names}

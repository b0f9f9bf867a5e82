"""The JSON Schemas of documents say of each property what it is for, with an example that fits."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dagster_pgflow import read_workflow
from dagster_pgflow.dsl.flow_schema import flow_schema
from dagster_pgflow.dsl.manifest.document_shape import manifest_schema
from dagster_pgflow.dsl.workflow.schema import workflow_schema
from dagster_pgflow.model.described import described_schema
from dagster_pgflow.node_types.known import NODE_TYPES
from dagster_pgflow.validation.salvage import flow_of_document
from tests.workflow_documents import NAMES, document

PUBLISHED = Path(__file__).parents[3] / "docs" / "flow.schema.json"
SCHEMAS = {
    "flow": flow_schema(),
    "workflow": workflow_schema(),
    "manifest": manifest_schema(),
    **{name: described_schema(config) for name, config in NODE_TYPES.items()},
}
VALUES = ("examples", "default", "const", "enum", "if")
"""What holds no properties that a document has, or none that it has there."""


def properties_in(schema: Any, place: str = "$") -> Iterator[tuple[str, Any]]:
    """Yield each property of a schema and of those in it, with its place."""
    match schema:
        case dict():
            for name, one in schema.get("properties", {}).items():
                yield f"{place}.{name}", one
            for key, part in schema.items():
                if key not in VALUES:
                    yield from properties_in(part, f"{place}/{key}")
        case list():
            for index, part in enumerate(schema):
                yield from properties_in(part, f"{place}/{index}")


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_property_is_described_and_has_an_example(name: str) -> None:
    properties = dict(properties_in(SCHEMAS[name]))
    assert properties
    assert [place for place, one in properties.items() if not one.get("description")] == []
    assert [place for place, one in properties.items() if not one.get("examples")] == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_example_is_what_its_property_takes(name: str) -> None:
    whole = SCHEMAS[name]
    for place, one in properties_in(whole):
        here = jsonschema.Draft202012Validator({**one, "$defs": whole.get("$defs", {})})
        for example in one["examples"]:
            assert here.is_valid(example), (place, example)


def test_the_published_schema_of_flows_is_what_the_command_prints() -> None:
    assert json.loads(PUBLISHED.read_text()) == flow_schema()


@pytest.mark.parametrize("name", NAMES)
def test_what_export_writes_is_a_flow_by_the_schema_too(name: str) -> None:
    flow = read_workflow(document(name), slug="f")
    jsonschema.Draft202012Validator(flow_schema()).validate(flow.to_json())


SHORT = {
    "$schema": "flow.schema.json",
    "slug": "order",
    "steps": [
        {"slug": "fetch"},
        {"slug": "price", "type": "map", "depends_on": "fetch", "before": "shop.tidy"},
        {"slug": "ask", "type": "approval", "prompt": "?", "answerers": "boss", "reminders": 60},
        {
            "slug": "decide",
            "type": "branch",
            "depends_on": "price",
            "rules": [{"when": "true", "then": "charge"}],
            "default_path": "decline",
        },
        {"slug": "charge", "depends_on": ["decide"]},
        {"slug": "decline", "depends_on": "decide"},
    ],
}


def test_short_forms_are_read_as_sql_and_python_read_them_and_are_sound_by_the_schema() -> None:
    jsonschema.Draft202012Validator(flow_schema()).validate(SHORT)
    flow = flow_of_document(SHORT)
    assert [step.type for step in flow.steps] == [
        *("single", "map", "approval", "branch", "single", "single")
    ]
    assert [step.depends_on for step in flow.steps[:2]] == [(), ("fetch",)]
    assert "$schema" not in flow.to_json()


def test_without_a_type_a_step_is_no_other_than_a_single_one_by_the_schema() -> None:
    validator = jsonschema.Draft202012Validator(flow_schema())
    assert not validator.is_valid({"slug": "f", "steps": [{"slug": "s", "flow": "other"}]})

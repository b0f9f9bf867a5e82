"""The JSON Schema of workflow documents: published, sound, and as strict as the reader."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dagster_pgflow import read_workflow
from dagster_pgflow.dsl.workflow.schema import workflow_schema
from tests.workflow_documents import NAMES, document

PUBLISHED = Path(__file__).parents[3] / "docs" / "workflow.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(workflow_schema())


def test_the_published_file_is_what_the_command_prints() -> None:
    assert json.loads(PUBLISHED.read_text()) == workflow_schema()


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(workflow_schema())


@pytest.mark.parametrize("name", NAMES)
def test_it_takes_sound_documents(name: str) -> None:
    VALIDATOR.validate(document(name))


@pytest.mark.parametrize(
    "node",
    [
        {"id": "a"},
        {"type": "function"},
        {"id": "a", "type": "functoin"},
        {"id": "a", "type": "function", "timeout": 5},
        {"id": "a", "type": "function", "timeout_ms": -1},
        {"id": "a", "type": "function", "retry": {"max_attempts": -1}},
        {"id": "a", "type": "function", "retry": {"backoff_multiplier": 0.5}},
        {"id": "a", "type": "function", "loop": {"max_iterations": 2}},
        {"id": "a", "type": "loop", "config": {"max_iterations": 2}},
        {"id": "a", "type": "loop", "config": {"max_iterations": 0, "loop_back_to": "a"}},
        {"id": "a", "type": "conditional", "config": {"rules": [{"condition": "true"}]}},
        {"id": "a", "type": "join", "config": {"wait": "some"}},
        {"id": "a", "type": "join", "config": {"wait": 0}},
    ],
)
def test_it_refuses_what_is_refused_for_its_shape(node: dict[str, Any]) -> None:
    given = {"nodes": [node], "edges": []}
    assert not VALIDATOR.is_valid(given)
    with pytest.raises(Exception, match="Workflow document"):
        read_workflow(given, slug="f")

"""The JSON Schema of manifests: published, sound, and no stricter than the reader."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from dagster_pgflow.dsl.manifest.document_shape import manifest_schema
from tests.unit.dsl.manifest.reads import MANIFESTS
from tests.unit.dsl.manifest.test_extending import BASE
from tests.unit.dsl.manifest.test_fragments import HOST
from tests.unit.dsl.manifest.test_problems import SOUND, WRONG

PUBLISHED = Path(__file__).parents[4] / "docs" / "manifest.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(manifest_schema())


def test_the_published_file_is_what_the_command_prints() -> None:
    assert json.loads(PUBLISHED.read_text()) == manifest_schema()


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(manifest_schema())


def test_every_property_says_what_it_is_and_has_an_example() -> None:
    properties = list(_properties(manifest_schema()))
    assert len(properties) > 100
    for name, part in properties:
        assert part["description"].endswith((".", "cell")), name
        assert part["examples"], name


def test_every_example_is_what_it_stands_for() -> None:
    for name, part in _properties(manifest_schema()):
        for example in part["examples"]:
            if name != "fragment":
                jsonschema.validate(example, part)


@pytest.mark.parametrize(
    "document",
    [
        SOUND,
        HOST,
        BASE,
        {"extends": "base.edn", "cells": {"a": None}, "doc": None},
        yaml.safe_load((MANIFESTS / "payment.yaml").read_text()),
    ],
    ids=["least", "host", "base", "child", "file"],
)
def test_it_takes_sound_manifests(document: dict[str, Any]) -> None:
    VALIDATOR.validate(document)


@pytest.mark.parametrize(("document", "problem"), WRONG, ids=range(len(WRONG)))
def test_it_refuses_what_has_not_the_shape_of_one(document: dict[str, Any], problem: str) -> None:
    is_about_more = any(
        words in problem
        for words in ("schema.input: ", "schema.output: ", "pipeline", "says", "needs", "`x >`")
    )
    if not is_about_more:
        assert not VALIDATOR.is_valid(document)


def _properties(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, part in schema.get("properties", {}).items():
        yield name, part
        yield from _properties(part)
    inside = [schema.get("items"), schema.get("additionalProperties")]
    for part in [*inside, *schema.get("anyOf", ()), *schema.get("prefixItems", ())]:
        if isinstance(part, dict):
            yield from _properties(part)

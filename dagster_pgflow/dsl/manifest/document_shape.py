"""What a manifest may hold: what reads it, and its JSON Schema."""

from typing import Any, Final, get_args

from dagster_pgflow.dsl.manifest.extending import OF_NAMED_PARTS
from dagster_pgflow.dsl.manifest.manifest import MAX_PASSES, Validate
from dagster_pgflow.dsl.manifest.part_shapes import (
    CELL,
    CELL_NAMES,
    CONSTRAINTS,
    DISPATCH,
    ERROR_GROUP,
    FRAGMENT_USE,
    INTERCEPTOR,
    JOIN,
    LABELLED,
    MILLISECONDS,
    SCHEMA,
    TARGET,
    TRANSFORMS,
    name_or,
)
from dagster_pgflow.dsl.manifest.resilience_shape import RESILIENCE
from dagster_pgflow.dsl.manifest.shapes import Flag, Name, Text, Whole, Word
from dagster_pgflow.dsl.manifest.shapes_of_many import ByName, Field, Listed, Record
from dagster_pgflow.dsl.workflow.shape import DIALECT

MANIFEST: Final = Record(
    "a manifest",
    {
        "$schema": Field(
            Text(), "The JSON Schema that an editor checks it by.", "manifest.schema.json"
        ),
        "id": Field(
            Name("the manifest"), "Its name; the slug of the flow follows from it.", "shop/order"
        ),
        "doc": Field(Text(), "What it is for.", "From the cart to the receipt."),
        "input-schema": Field(SCHEMA, "What a run may start with.", ["map", ["n", "int"]]),
        "cells": Field(
            ByName(
                "a cell",
                name_or(
                    Name("what does the work"), CELL, "the id of what does the work, or an object"
                ),
            ),
            "What is done; the entry is `start`.",
            {"start": "shop/load-cart"},
        ),
        "edges": Field(
            ByName(
                "a cell or join",
                name_or(TARGET, LABELLED, "a target, or an object of labels and targets"),
            ),
            "Where the run goes on behind each cell and join.",
            {"start": {"full": "charge", "empty": "end"}},
        ),
        "dispatches": Field(
            ByName("a cell or join", Listed(DISPATCH)),
            "What decides between the labels of an edge, in order.",
            {"start": [["full", "size(data.items) > 0"]]},
        ),
        "pipeline": Field(
            CELL_NAMES,
            "Cells in a row, in place of edges; it begins with `start`.",
            ["start", "render"],
        ),
        "joins": Field(
            ByName("a join", JOIN),
            "Cells that work on one snapshot of the data.",
            {"fees": {"cells": ["tax", "shipping"]}},
        ),
        "fragments": Field(
            ByName("a fragment", FRAGMENT_USE),
            "Cells that are written once and stand in many manifests.",
            {"login": {"ref": "login.edn", "as": "start", "exits": {"in": "show"}}},
        ),
        "error-groups": Field(
            ByName("an error group", ERROR_GROUP),
            "Cells whose failures lead to one cell.",
            {"loading": {"cells": ["fetch", "parse"], "on-error": "show-error"}},
        ),
        "timeouts": Field(
            ByName("a cell", MILLISECONDS),
            "Milliseconds by cell; when they are over, its edge `timeout` is taken.",
            {"fetch": 5_000},
        ),
        "resilience": Field(
            ByName("a cell", RESILIENCE),
            "How failures of a cell are met.",
            {"charge": {"retry": {"max-attempts": 3}}},
        ),
        "interceptors": Field(
            Listed(INTERCEPTOR),
            "Handlers before and behind cells.",
            [{"id": "log", "post": "ops/log"}],
        ),
        "transforms": Field(
            ByName("a cell", TRANSFORMS),
            "Handlers that make data fit around a cell.",
            {"charge": {"input": {"fn": "shop/to-cents"}}},
        ),
        "constraints": Field(
            CONSTRAINTS,
            "What must hold on every way through the manifest.",
            [{"type": "always-reachable", "cell": "audit"}],
        ),
        "invariants": Field(
            CONSTRAINTS, "The same.", [{"type": "always-reachable", "cell": "audit"}]
        ),
        "regions": Field(
            ByName("a region", CELL_NAMES),
            "Cells that belong together, for people.",
            {"money": ["charge"]},
        ),
        "extends": Field(Text(), "The file of a manifest that this one completes.", "base.edn"),
        "max-passes": Field(
            Whole(), f"How often a loop is passed at most; {MAX_PASSES} unless said.", 20
        ),
        "propagate-keys": Field(
            Flag(), "Whether what a cell received lives on behind it.", example=True
        ),
        "validate": Field(
            Word(get_args(Validate)), "What a breach of a schema does at run time.", "strict"
        ),
        "coerce": Field(
            Flag(),
            "Whether values are made to fit their schemas where nothing is lost.",
            example=False,
        ),
        "strict": Field(Flag(), "Whether every cell must declare `on-error`.", example=False),
    },
    meant={
        "name": "id",
        "slug": "id",
        "description": "doc",
        "nodes": "cells",
        "steps": "cells",
        "transitions": "edges",
        "predicates": "dispatches",
        "input": "input-schema",
    },
)


def manifest_schema() -> dict[str, Any]:
    """Return the JSON Schema of a manifest."""
    schema = MANIFEST.schema()
    # What extends another manifest takes parts of it away with null.
    schema["properties"] = {
        name: _or_null(name, part) for name, part in schema["properties"].items()
    }
    return {
        "$schema": DIALECT,
        "title": "Manifest",
        "description": "Cells, edges and dispatches over one data map, in YAML or JSON.",
        **schema,
        "anyOf": [{"required": ["cells"]}, {"required": ["extends"]}],
    }


def _or_null(name: str, part: dict[str, Any]) -> dict[str, Any]:
    kinds = part.get("type")
    whole = {**part, "type": [kinds, "null"]} if isinstance(kinds, str) else part
    if name not in OF_NAMED_PARTS:
        return whole
    return {
        **whole,
        "additionalProperties": {"anyOf": [part["additionalProperties"], {"type": "null"}]},
    }

"""Manifests as cells of other manifests: a cell that runs a whole flow."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from dagster_pgflow.dsl.manifest.forms import FormRefused, form_of
from dagster_pgflow.dsl.manifest.malli import schema_of
from dagster_pgflow.dsl.manifest.sources import Sources
from dagster_pgflow.dsl.manifest_text import KIND, written_manifest
from dagster_pgflow.dsl.registering import register, registered_slugs
from dagster_pgflow.errors import InvalidFlow, Problem
from dagster_pgflow.json_values.limits import problem_of
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps.fields import JsonSchema


def workflow_to_cell(
    id: str,
    manifest: str | Mapping[str, Any],
    *,
    input: object = None,
    output: object = None,
    flows: Collection[str] = (),
    folder: str | Path | None = None,
    load: Callable[[str], object] | None = None,
) -> Flow:
    """Return the flow that a cell of this id runs.

    A cell runs it where a flow of this slug is stored, or loaded together with its manifest.

    Args:
        id: The id of the cell, such as `payment/process-order`; the slug follows from it.
        manifest: As `read_manifest` takes it; an id in it does not count.
        input: The schema of what a run may start with, in place of that of the manifest.
        output: What it adds on the way that goes well. No other way has to add it.
        flows: The slugs of the flows that its own cells may run.
        folder: Where the files are that it names.
        load: Gives the text or the object of such a name, in place of a folder.

    Raises:
        InvalidFlow: With all that is wrong.
    """
    sources = Sources(None if folder is None else Path(folder), load)
    written = written_manifest(manifest, sources, id).called(id)
    schemas = {"input_schema": _schema(id, "input", input), "output_schema": _open(id, output)}
    given = {name: schema for name, schema in schemas.items() if schema is not None}
    flow = written.flow(registered_slugs().union(flows))
    return flow.model_copy(update=given)


def register_workflow_cell(
    id: str,
    manifest: str | Mapping[str, Any],
    *,
    input: object = None,
    output: object = None,
    flows: Collection[str] = (),
    folder: str | Path | None = None,
    load: Callable[[str], object] | None = None,
) -> Flow:
    """Make a manifest a cell that other manifests name by its id.

    In a Python file that `dagster-pgflow load` runs, the flow is loaded without a name of its own,
    and manifests that are read behind it know it. Elsewhere, store what is returned.

    Args:
        id: As `workflow_to_cell` takes it, as all that follows.
        manifest: The manifest.
        input: The schema of what a run may start with.
        output: What it adds on the way that goes well.
        flows: The slugs of the flows that its own cells may run.
        folder: Where the files are that it names.
        load: Gives the text or the object of such a name.

    Raises:
        InvalidFlow: With all that is wrong.
    """
    flow = workflow_to_cell(
        id, manifest, input=input, output=output, flows=flows, folder=folder, load=load
    )
    register(flow)
    return flow


def _schema(id: str, name: str, given: object) -> JsonSchema | None:
    if given is None:
        return None
    beyond = problem_of(given)
    if beyond is not None:
        raise InvalidFlow(id, [Problem("value-beyond-limits", name, f"It is refused: {beyond}.")])
    refused: list[FormRefused] = []
    try:
        schema = schema_of(form_of(given), refused.append)
    except FormRefused as reason:
        refused.append(reason)
    if refused:
        problems = [Problem(reason.code, name, str(reason)) for reason in refused]
        raise InvalidFlow(id, problems, KIND)
    return schema


def _open(id: str, output: object) -> JsonSchema | None:
    """Return a schema that asks for no key: a way that ends otherwise adds others."""
    schema = _schema(id, "output", output)
    if schema is None:
        return None
    return {name: part for name, part in schema.items() if name != "required"}

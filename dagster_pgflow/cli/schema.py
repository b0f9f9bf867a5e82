"""`dagster-pgflow schema`: the JSON Schema of a flow file, a workflow document or a manifest."""

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.console import print_json
from dagster_pgflow.dsl.flow_schema import flow_schema
from dagster_pgflow.dsl.manifest.document_shape import manifest_schema
from dagster_pgflow.dsl.workflow.schema import workflow_schema
from dagster_pgflow.model.described import described_schema
from dagster_pgflow.node_types.known import NODE_TYPES


@command_with_examples(
    "schema",
    "schema > flow.schema.json",
    "schema --workflow > workflow.schema.json",
    "schema --manifest > manifest.schema.json",
    "schema --node-types",
)
@click.option("--workflow", is_flag=True, help="That of a workflow document: nodes and edges.")
@click.option("--manifest", is_flag=True, help="That of a manifest: cells, edges, dispatches.")
@click.option(
    "--node-types",
    is_flag=True,
    help="Those of the params of the built-in node types, by the names of the types.",
)
def command(*, workflow: bool, manifest: bool, node_types: bool) -> None:
    """Print the JSON Schema of a flow file.

    Editors complete and check flows with it, and language models write them by it.
    """
    if workflow + manifest + node_types > 1:
        raise click.UsageError("Ask for one of them, --workflow, --manifest or --node-types.")
    if manifest:
        print_json(manifest_schema())
    elif node_types:
        print_json({name: described_schema(config) for name, config in NODE_TYPES.items()})
    elif workflow:
        print_json(workflow_schema())
    else:
        print_json(flow_schema())

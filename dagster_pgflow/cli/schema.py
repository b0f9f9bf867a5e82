"""`dagster-pgflow schema`: the JSON Schema of a flow file, or of a workflow document."""

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.console import print_json
from dagster_pgflow.dsl.workflow.shape import DIALECT, workflow_schema
from dagster_pgflow.model.flow import Flow


@command_with_examples(
    "schema",
    "schema > flow.schema.json",
    "schema --workflow > workflow.schema.json",
)
@click.option("--workflow", is_flag=True, help="That of a workflow document: nodes and edges.")
def command(*, workflow: bool) -> None:
    """Print the JSON Schema of a flow file.

    Editors complete and check flows with it, and language models write them by it.
    """
    if workflow:
        print_json(workflow_schema())
        return
    print_json({"$schema": DIALECT, **Flow.model_json_schema(by_alias=True)})

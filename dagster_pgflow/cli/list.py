"""`dagster-pgflow list`: the flows that are stored."""

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.console import as_json, clock, console, new_table, print_json
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.store.flows import FlowBuilder


@command_with_examples(
    "list",
    "list",
    "list --json | jq -r '.[].slug'",
)
@as_json
def command(*, wants_json: bool) -> None:
    """List the stored flows."""
    with opened_store() as database:
        flows = FlowBuilder(database).list_flows()
    if wants_json:
        print_json(flows)
        return
    if not flows:
        click.echo("There are no flows yet; `dagster-pgflow load --examples` stores some.")
        return
    table = new_table(
        "Flow", "Version", "Steps", "Changed", "Description", numbers=("Version", "Steps")
    )
    for flow in flows:
        table.add_row(
            flow.slug,
            str(flow.version),
            str(flow.steps),
            clock(flow.changed_at),
            flow.description,
        )
    console().print(table)

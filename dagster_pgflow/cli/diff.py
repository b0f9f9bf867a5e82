"""`dagster-pgflow diff`: what is different between two definitions of a flow."""

from pathlib import Path

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.completion import slug_argument
from dagster_pgflow.cli.console import as_json, print_json
from dagster_pgflow.cli.named_flow import flows_of_file, is_file, one_of, stored_flow
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.errors import PgflowError
from dagster_pgflow.model.differences import Difference, differences
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.flows import FlowBuilder


class CannotCompare(click.ClickException):
    """The two could not be compared: another exit code than that of differences."""

    exit_code = 2


@command_with_examples(
    "diff",
    "diff order order.yaml",
    "diff order@3 order@5",
    "diff order@3 order --json",
)
@slug_argument("before")
@slug_argument("after")
@as_json
def command(before: str, after: str, *, wants_json: bool) -> None:
    """Show the differences between two definitions of a flow.

    BEFORE and AFTER are each a stored flow (order), one of its versions (order@3), or a file
    that `load` would take (order.yaml). Lines begin with + for what only AFTER says, - for what
    only BEFORE says, and ~ for what both say differently.

    Exit code 0 means that there are no differences, 1 that there are, 2 that they could not be
    compared.
    """
    try:
        found = differences(*_flows(before, after))
    except PgflowError as error:
        raise CannotCompare(str(error)) from error
    if wants_json:
        print_json([_document(difference) for difference in found])
    else:
        for difference in found:
            click.echo(str(difference))
    if found:
        raise click.exceptions.Exit(1)


def _flows(before: str, after: str) -> tuple[Flow, Flow]:
    """Return what the two arguments stand for; the store is only opened if one needs it."""
    named = [name for name in (before, after) if is_file(name)]
    unnamed = [name for name in (before, after) if name not in named]
    stored: dict[str, Flow] = {}
    there: frozenset[str] = frozenset()
    if unnamed:
        with opened_store() as database:
            builder = FlowBuilder(database)
            stored = {name: stored_flow(builder, name) for name in unnamed}
            there = frozenset(flow.slug for flow in builder.list_flows() if named)
    files = {name: flows_of_file(Path(name), there) for name in named}
    slugs = {flow.slug for flow in stored.values()}
    chosen = {name: one_of(name, flows, slugs) for name, flows in files.items()}
    flows = stored | chosen
    return flows[before], flows[after]


def _document(difference: Difference) -> dict[str, object]:
    document = {"kind": difference.kind, "path": difference.path}
    match difference.kind:
        case "added":
            return document | {"after": difference.after}
        case "removed":
            return document | {"before": difference.before}
        case "changed":
            return document | {"before": difference.before, "after": difference.after}

"""`dagster-pgflow diff`: what is different between two definitions of a flow."""

import re
from collections.abc import Sequence
from pathlib import Path

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.console import as_json, print_json
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.dsl.document import read_flow_file
from dagster_pgflow.errors import ConfigurationError, InvalidFlow, PgflowError
from dagster_pgflow.model.differences import Difference, differences
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.validation.validate import ensure_valid

VERSION = re.compile(r"(?P<slug>[^@]+)@(?P<version>\d{1,18})")


class Trouble(click.ClickException):
    """The two could not be compared: another exit code than that of differences."""

    exit_code = 2


@command_with_examples(
    "diff",
    "diff order order.yaml",
    "diff order@3 order@5",
    "diff order@3 order --json",
)
@click.argument("before")
@click.argument("after")
@as_json
def command(before: str, after: str, *, wants_json: bool) -> None:
    """Say what is different between two definitions of a flow.

    BEFORE and AFTER are each a stored flow (order), one of its versions (order@3), or a file
    that `load` would take (order.yaml). Lines begin with + for what only AFTER says, - for what
    only BEFORE says, and ~ for what both say differently.

    Exit code 0 means that there are no differences, 1 that there are, 2 that there was trouble.
    """
    try:
        found = differences(*_flows(before, after))
    except PgflowError as error:
        raise Trouble(str(error)) from error
    if wants_json:
        print_json([_document(difference) for difference in found])
    else:
        for difference in found:
            click.echo(str(difference))
    if found:
        raise click.exceptions.Exit(1)


def _flows(before: str, after: str) -> tuple[Flow, Flow]:
    """Return what the two arguments stand for; the store is only opened if one needs it."""
    files = {name: _flows_of_file(Path(name)) for name in (before, after) if _is_file(name)}
    stored: dict[str, Flow] = {}
    if len({before, after} - files.keys()):
        with opened_store() as database:
            builder = FlowBuilder(database)
            stored = {name: _stored(builder, name) for name in (before, after) if name not in files}
    slugs = {flow.slug for flow in stored.values()}
    chosen = {name: _one_of(name, flows, slugs) for name, flows in files.items()}
    flows = stored | chosen
    return flows[before], flows[after]


def _is_file(name: str) -> bool:
    return Path(name).suffix != ""


def _stored(builder: FlowBuilder, name: str) -> Flow:
    found = VERSION.fullmatch(name)
    return (
        builder.get_flow(found["slug"], int(found["version"])) if found else builder.get_flow(name)
    )


def _flows_of_file(path: Path) -> Sequence[Flow]:
    file = read_flow_file(path)
    if file.problems:
        raise InvalidFlow(str(path), file.problems)
    return file.flows


def _one_of(name: str, flows: Sequence[Flow], slugs: set[str]) -> Flow:
    """Return the flow of a file that is meant: its only one, or the one of the other side."""
    chosen = [flow for flow in flows if flow.slug in slugs] if len(flows) > 1 else flows
    if len(chosen) != 1:
        raise ConfigurationError(
            f"{name} holds {len(flows)} flows, and it is not clear which of them is meant:"
            f" {', '.join(flow.slug for flow in flows)}."
        )
    ensure_valid(chosen[0])
    return chosen[0]


def _document(difference: Difference) -> dict[str, object]:
    told = {"kind": difference.kind, "path": difference.path}
    match difference.kind:
        case "added":
            return told | {"after": difference.after}
        case "removed":
            return told | {"before": difference.before}
        case _:
            return told | {"before": difference.before, "after": difference.after}

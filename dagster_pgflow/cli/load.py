"""`dagster-pgflow load`: store the flows of files."""

from contextlib import suppress
from pathlib import Path

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.console import as_json, aside, print_json
from dagster_pgflow.cli.flow_files import (
    STANDARD_INPUT_NAME,
    for_every_manifest,
    read_sources,
    refuse,
    strict_option,
    tried,
    warning_line,
)
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.errors import ConfigurationError, StoreError
from dagster_pgflow.examples import FLOW_FILES
from dagster_pgflow.runtime.handlers import Handler
from dagster_pgflow.store.loading import FlowChange, load

HANDLERS_NEEDED = """
Steps of the examples call {names}.
A code location that lacks some of these gets them by build_repository(handlers=[..., {module}]),
and `dagster dev -m dagster_pgflow.examples.definitions` is one that has them all.
`dagster-pgflow doctor --handlers MODULE` says which of them the handlers in MODULE leave out."""


@command_with_examples(
    "load",
    "load flows/order.yaml flows/payment.py",
    "load shop/order.edn shop/payment.edn",
    "load my_flow.sql",
    "load --examples",
    "load - < order.yaml",
)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--examples", "wants_examples", is_flag=True, help="Load the flows of this package.")
@strict_option
@as_json
def command(
    files: tuple[Path, ...], *, wants_examples: bool, strict: bool, wants_json: bool
) -> None:
    """Store the flows of files.

    All flows of FILES are stored, or none when there is a problem.

    A .json, .yaml, .yml or .edn file holds one flow or a list of flows; workflow documents and
    manifests are flows, too. A .py file is run and gives the `Flow` objects at its top. A .sql file
    is run, all of it in one transaction. - reads JSON, YAML or EDN from standard input.

    A running Dagster shows new and changed flows some seconds later.
    """
    paths = [*files, *(FLOW_FILES if wants_examples else ())]
    if not paths:
        raise click.UsageError("Name at least one file, or --examples.")
    sources, problems = read_sources(paths, for_every_manifest)
    if problems:
        with suppress(StoreError, ConfigurationError):
            problems += tried(sources, strict=strict).problems
    refuse(problems)
    with opened_store() as database:
        loading = load(database, sources, strict=strict)
    refuse(loading.problems)
    for found in loading.warnings:
        aside(warning_line(found))
    changes = list(loading.changes.values())
    if wants_examples:
        aside(_handlers_needed())
    if wants_json:
        print_json(changes)
        return
    for change in changes:
        click.echo(_sentence(change))
    if not changes:
        aside("No flow was changed.")


def _handlers_needed() -> str:
    """Return which handlers a code location needs to run the examples, and how it gets them."""
    # Here, since the handlers need what no other file that is loaded does.
    from dagster_pgflow.examples import handlers  # noqa: PLC0415

    names = sorted(one.name for one in vars(handlers).values() if isinstance(one, Handler))
    return HANDLERS_NEEDED.format(names=", ".join(names), module=handlers.__name__)


def _sentence(change: FlowChange) -> str:
    file = change.source if change.source == STANDARD_INPUT_NAME else Path(change.source).name
    if change.is_deleted:
        return f"{change.slug}: deleted ({file})"
    news = "stored as" if change.is_new else "unchanged,"
    return f"{change.slug}: {news} version {change.version} ({file})"

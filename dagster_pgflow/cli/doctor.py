"""`dagster-pgflow doctor`: look at everything that a run needs."""

from collections.abc import Iterator

import click
from rich.console import Console
from rich.text import Text

from dagster_pgflow.cli.checks.check import Check, failed
from dagster_pgflow.cli.checks.flows import check_flows
from dagster_pgflow.cli.checks.store import (
    check_address,
    check_projection,
    check_requests,
    check_schema,
)
from dagster_pgflow.cli.checks.versions import check_versions
from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.console import STYLES, as_json, console, print_json
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.errors import PgflowError
from dagster_pgflow.store.database import Database

SIGNS = {"ok": "ok", "warning": "look", "failed": "BAD", "skipped": "-"}


@command_with_examples("doctor", "doctor", "doctor --handlers my_package.handlers")
@click.option(
    "--handlers",
    "handler_modules",
    multiple=True,
    metavar="MODULE",
    help="A module with handlers, to find steps whose handler nobody registers.",
)
@as_json
def command(handler_modules: tuple[str, ...], *, wants_json: bool) -> None:
    """Look at everything that a run needs.

    Exit code 1 means that flows cannot run.
    """
    checks: list[Check] = []
    out = console()
    for check in _checks(handler_modules):
        checks.append(check)
        if not wants_json:
            _print(check, out)
    if wants_json:
        print_json(checks)
    if any(check.state == "failed" for check in checks):
        raise click.exceptions.Exit(1)


def _checks(handler_modules: tuple[str, ...]) -> Iterator[Check]:
    yield from check_versions()
    try:
        with opened_store() as database:
            yield from _checks_of_store(database, handler_modules)
    except PgflowError as error:
        yield failed("Database", str(error))
    # Here, because Dagster takes seconds to import.
    from dagster_pgflow.cli.checks.instance import check_dagster  # noqa: PLC0415

    yield from check_dagster()


def _checks_of_store(database: Database, handler_modules: tuple[str, ...]) -> Iterator[Check]:
    for group in (check_address, check_schema):
        found = list(group(database))
        yield from found
        if any(check.state == "failed" for check in found):
            return
    yield from check_requests(database)
    yield from check_projection(database)
    yield from check_flows(database, handler_modules)


def _print(check: Check, out: Console) -> None:
    first, *more = check.says.splitlines() or [""]
    style = STYLES.get(check.state, "")
    out.print(Text(f"{SIGNS[check.state]:<5}", style=style) + Text(f"{check.name:<16} {first}"))
    for line in more:
        out.print(f"{'':<22}{line}")

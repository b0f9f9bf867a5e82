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

SCHEMA = ("Server", "Schema", "Rights")
"""The checks without which the store can be asked nothing else."""

SIGNS = {"ok": "ok", "warning": "look", "failed": "BAD", "skipped": "-"}


@command_with_examples(
    "doctor", "doctor", "doctor --handlers my_package.handlers", "doctor --strict --json"
)
@click.option(
    "--handlers",
    "handler_modules",
    multiple=True,
    metavar="MODULE",
    help="A module with handlers, to find steps whose handler nobody registers.",
)
@click.option("--strict", is_flag=True, help="What somebody should look at is a problem, too.")
@as_json
def command(handler_modules: tuple[str, ...], *, strict: bool, wants_json: bool) -> None:
    """Look at everything that a run needs.

    Each line begins with what was found: ok, look (somebody should look at it, but flows run),
    BAD (some run fails, or does not begin), or - (it was not looked at).

    Exit code 1 means that something is BAD; with --strict, that something is BAD or to be looked
    at.
    """
    wrong = ("failed", "warning") if strict else ("failed",)
    checks: list[Check] = []
    out = console()
    for check in _checks(handler_modules):
        checks.append(check)
        if not wants_json:
            _print(check, out)
    if wants_json:
        print_json(checks)
    if any(check.state in wrong for check in checks):
        raise click.exceptions.Exit(1)


def _checks(handler_modules: tuple[str, ...]) -> Iterator[Check]:
    yield from check_versions()
    # Here, because Dagster takes seconds to import.
    from dagster_pgflow.cli.checks.instance import check_dagster  # noqa: PLC0415

    try:
        with opened_store() as database:
            in_order = True
            for check in _checks_of_store(database, handler_modules):
                in_order = in_order and not (check.name in SCHEMA and check.state == "failed")
                yield check
            yield from check_dagster(database if in_order else None)
            return
    except PgflowError as error:
        yield failed("Database", str(error))
    yield from check_dagster(None)


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

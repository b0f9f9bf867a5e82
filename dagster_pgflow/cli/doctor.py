"""`dagster-pgflow doctor`: look at everything that a run needs."""

import os
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from dagster_pgflow.cli.checks.check import Check, failed
from dagster_pgflow.cli.checks.flows import check_flows
from dagster_pgflow.cli.checks.live_workers import check_live_workers
from dagster_pgflow.cli.checks.store import (
    check_address,
    check_projection,
    check_requests,
    check_schema,
)
from dagster_pgflow.cli.checks.versions import check_versions
from dagster_pgflow.cli.checks.waiting import check_waiting
from dagster_pgflow.cli.checks.webhooks import check_webhooks
from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.console import STYLES, as_json, aside, console, print_json
from dagster_pgflow.cli.live_launcher_block import write_live_launcher
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.errors import ConfigurationError, PgflowError
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
@click.option("--strict", is_flag=True, help="Treat what is marked `look` as a problem, too.")
@click.option(
    "--fix",
    is_flag=True,
    help="First write into dagster.yaml that runs of flows go to live workers.",
)
@as_json
def command(handler_modules: tuple[str, ...], *, strict: bool, fix: bool, wants_json: bool) -> None:
    """Look at everything that a run needs.

    Each line begins with what was found: ok, look (somebody should look at it, but flows run),
    BAD (some run fails, or does not begin), or - (it was not looked at).

    Exit code 1 means that something is BAD; with --strict, that something is BAD or to be looked
    at.

    With --fix, $DAGSTER_HOME/dagster.yaml names the run launcher that hands runs to live workers;
    nothing else in it changes, and a copy of what it was stays beside it.
    """
    if fix:
        _write_launcher()
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


def _write_launcher() -> None:
    home = os.environ.get("DAGSTER_HOME", "").strip()
    if not home:
        raise ConfigurationError("DAGSTER_HOME is not set, so there is no dagster.yaml to change.")
    written = write_live_launcher(Path(home).expanduser())
    if written is None:
        aside("dagster.yaml names LiveRunLauncher already; it stays as it is.")
        return
    kept = f" What it was is {written.backup}." if written.backup else ""
    aside(f"{written.path} names LiveRunLauncher now; start Dagster again.{kept}")


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
    yield from check_live_workers(database)
    yield from check_requests(database)
    yield from check_waiting(database)
    yield from check_projection(database)
    yield from check_webhooks(database)
    yield from check_flows(database, handler_modules)


def _print(check: Check, out: Console) -> None:
    first, *more = check.says.splitlines() or [""]
    style = STYLES.get(check.state, "")
    out.print(Text(f"{SIGNS[check.state]:<5}", style=style) + Text(f"{check.name:<16} {first}"))
    for line in more:
        out.print(f"{'':<22}{line}")

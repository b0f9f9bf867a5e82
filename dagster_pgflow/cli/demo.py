"""`dagster-pgflow demo`: all of it at work, with one command."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.demonstration.dagster_dev import DagsterDev, WebAddress, running_dagster_dev
from dagster_pgflow.cli.demonstration.example_runs import (
    ExampleRun,
    example_runs,
    start_runs,
    wait_for_runs,
    what_happened,
)
from dagster_pgflow.cli.demonstration.home import DemoHome
from dagster_pgflow.cli.demonstration.live_worker import running_live_worker
from dagster_pgflow.cli.demonstration.next_steps import next_steps
from dagster_pgflow.cli.demonstration.signals import Interrupted, ended_by_signals
from dagster_pgflow.cli.flow_files import read_sources, refuse
from dagster_pgflow.cli.sql import print_result
from dagster_pgflow.examples import FLOW_FILES
from dagster_pgflow.settings import (
    DATA_DIR_VARIABLE,
    DATABASE_URL_VARIABLE,
    configured_url,
    data_dir,
    embedded_postgres,
)
from dagster_pgflow.store.checkup import Checkup
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.loading import load
from dagster_pgflow.store.migrator import migrate

POLL_S = 0.5


@command_with_examples("demo", "demo", "demo --port 4000", "demo --exit-when-done")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="The port of the web UI; without it, the first free one from 3000 on.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address that the web UI listens on.",
)
@click.option(
    "--exit-when-done",
    is_flag=True,
    help="End when the runs have ended, without waiting for Ctrl-C.",
)
def command(port: int | None, host: str, *, exit_when_done: bool) -> None:
    """See all of it at work.

    Starts an embedded PostgreSQL, stores the example flows, starts Dagster with its web UI and a
    live worker, runs the flows, and shows with SQL what happened. Ctrl-C ends everything that it
    started; what it stored is still there the next time.
    """
    began = time.monotonic()
    own_folder = _choose_data_folder()
    try:
        with ended_by_signals():
            _demo(WebAddress.choose(host, port), began, own_folder, exit_when_done=exit_when_done)
    except Interrupted:
        click.echo("Everything that the demo started has ended.")


def _choose_data_folder() -> Path | None:
    """Give the demo a store of its own, unless the user names one; return it if so.

    In the store that a user's own Dagster serves, that Dagster would take the demo's runs.
    """
    if os.environ.get(DATA_DIR_VARIABLE, "").strip():
        return None
    folder = data_dir().parent / "demo" / "postgres"
    os.environ[DATA_DIR_VARIABLE] = str(folder)
    return folder


def _demo(
    address: WebAddress, began: float, own_folder: Path | None, *, exit_when_done: bool
) -> None:
    home = DemoHome.beside_data()
    with home.locked(address.url), _store(home) as database:
        _prepare(database)
        runs = example_runs(home.report)
        environment = _environment(home)
        with (
            running_dagster_dev(home.workspace, address, home.log, environment) as dagster,
            running_live_worker(home.workspace, home.live_log, environment),
        ):
            try:
                unexpected = _show(database, dagster, home, runs)
                click.echo(f"All of this took {time.monotonic() - began:.0f} s.")
                if not exit_when_done:
                    click.echo(next_steps(address.url, own_folder))
                    _wait_for_the_end(dagster)
            except Interrupted:
                click.echo("\nEnding Dagster and PostgreSQL; this takes some seconds.")
                raise
    if unexpected:
        raise click.ClickException(f"These runs did not end as they should: {unexpected}.")


@contextmanager
def _store(home: DemoHome) -> Iterator[Database]:
    """Start the embedded PostgreSQL, whatever server the environment names."""
    if configured_url() is not None:
        click.echo(f"The demo does not use the server in {DATABASE_URL_VARIABLE}.")
    server = embedded_postgres()
    fresh = not data_dir().exists()
    database = Database(server.start())
    try:
        facts = Checkup(database).server()
        click.echo(f"PostgreSQL {facts.version}, {'new' if fresh else 'as it was'}: {data_dir()}")
        home.write_settings(server.url("dagster", driver="psycopg2"))
        yield database
    finally:
        database.close()
        server.stop()


def _prepare(database: Database) -> None:
    migrate(database)
    sources, problems = read_sources(FLOW_FILES)
    refuse(problems)
    loading = load(database, sources)
    refuse(loading.problems)
    click.echo("Stored the example flows: ai_workflow, payment, order, measure_docs")


def _environment(home: DemoHome) -> Mapping[str, str]:
    """Return the environment of Dagster: ours, but on the embedded PostgreSQL."""
    own = {name: value for name, value in os.environ.items() if name != DATABASE_URL_VARIABLE}
    return {**own, DATA_DIR_VARIABLE: str(data_dir()), "DAGSTER_HOME": str(home.path)}


def _show(
    database: Database, dagster: DagsterDev, home: DemoHome, runs: Sequence[ExampleRun]
) -> str:
    """Start runs and show them; return those that did not end as they should, in words."""
    click.echo(f"Starting Dagster; its log is {dagster.log}")
    click.echo(f"Starting a live worker, which starts runs at once; its log is {home.live_log}")
    run_ids = start_runs(database, runs)
    slugs = ", ".join(run.flow_slug for run in runs)
    click.echo(f"Asked for {len(runs)} runs through pgflow.start_flow: {slugs}")
    ends = wait_for_runs(database, run_ids, click.echo, dagster.ensure_running)
    dagster.wait_until_ready()
    click.echo(f"Dagster is at {dagster.address.url}")
    sql, answer = what_happened(database, len(runs))
    click.echo(f"\n{sql}\n")
    print_result(answer)
    return ", ".join(
        f"{run.flow_slug} {end}, not {run.ends}"
        for run, end in zip(runs, ends, strict=True)
        if run.ends != end
    )


def _wait_for_the_end(dagster: DagsterDev) -> None:
    while True:
        dagster.ensure_running()
        time.sleep(POLL_S)

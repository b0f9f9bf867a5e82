"""`dagster-pgflow rebuild`: make the run tables anew from Dagster's event log."""

import time

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.console import aside
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.outputs import OutputStore
from dagster_pgflow.store.run_tables import RunTables


@command_with_examples("rebuild", "rebuild")
def command() -> None:
    """Make the run tables again.

    Every row is made from Dagster's event log, as the sensors would have made it, with the same
    ids; runs go on meanwhile. Runs that Dagster has deleted, or a child run of which it has, are
    made from pgflow's own event log. It needs DAGSTER_HOME, the folder with the dagster.yaml of
    the deployment.
    """
    # Here, because Dagster takes seconds to import.
    from dagster_pgflow.cli.dagster_instance import opened_instance  # noqa: PLC0415
    from dagster_pgflow.projection.sync.projector import rebuild  # noqa: PLC0415
    from dagster_pgflow.projection.sync.store import ProjectionStore  # noqa: PLC0415

    began = time.monotonic()
    with opened_store() as database, opened_instance() as instance:
        store = ProjectionStore(Catalog(database), OutputStore(database), RunTables(database))
        result = rebuild(instance, store)
    for problem in result.problems:
        aside(problem)
    runs = "1 run" if result.written == 1 else f"{result.written} runs"
    click.echo(f"Rebuilt {runs} in {time.monotonic() - began:.1f} s.")
    if result.problems:
        raise click.ClickException(f"{len(result.problems)} runs could not be read.")

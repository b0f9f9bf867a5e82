"""`dagster-pgflow cancel`: a run ends before it is done."""

from uuid import UUID

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.console import aside, clock
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.errors import StoreRefused
from dagster_pgflow.store.continuations import Continuations
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.live_runs import LiveRuns
from dagster_pgflow.store.requests import Requests
from dagster_pgflow.store.run_status import RunStatusReader, RunSummary

REASON = "Cancelled by dagster-pgflow cancel."
ON_ITS_WAY_S = 5.0
"""How long Dagster may need to make a run of a request that a sensor gave to it."""


@command_with_examples("cancel", "cancel 3f2a91c4", "cancel 3f2a91c4 --force")
@click.argument("run_id")
@click.option(
    "--force", is_flag=True, help="Mark it as cancelled in Dagster, whatever its process does."
)
def command(run_id: str, *, force: bool) -> None:
    """Cancel a run.

    A request that Dagster has not begun is taken back, and a run that waits is ended by who would
    let it go on; that needs no Dagster. A run that Dagster has begun is cancelled there, which
    needs DAGSTER_HOME. What is done stays done: `retry` goes on from there.
    """
    with opened_store() as database:
        reader, requests = RunStatusReader(database), Requests(database)
        run = reader.summary(reader.find(run_id))
        _refuse_if_over(run)
        if run.dagster_run_id is None and requests.take_back(run.run_id, REASON):
            _print_result(run, has_ended=True)
            return
        if run.status == "waiting" and Continuations(database).cancel(run.run_id):
            _print_result(run, has_ended=False)
            return
        has_ended = _cancel_in_dagster(run, database, force=force)
        _refuse_if_over(reader.summary(run.run_id), but="cancelled")
    _print_result(run, has_ended=has_ended)


def _refuse_if_over(run: RunSummary, but: str | None = None) -> None:
    if run.is_over and run.status != but:
        how = "was cancelled" if run.status == "cancelled" else run.status
        raise StoreRefused(
            f"Run {run.run_id} of flow {run.flow_slug} is over: it {how} at {clock(run.ended_at)}."
        )


def _cancel_in_dagster(run: RunSummary, database: Database, *, force: bool) -> bool:
    """Cancel what Dagster has, or is about to have, of a run; return whether it has ended."""
    # Here, because Dagster takes seconds to import.
    from dagster_pgflow.cli.cancellation import (  # noqa: PLC0415
        cancel_in_dagster,
        runs_of_request,
    )
    from dagster_pgflow.cli.dagster_instance import opened_instance  # noqa: PLC0415

    with opened_instance() as instance:
        newest = Continuations(database).newest(run.run_id) or run.dagster_run_id
        found: list[UUID] = [newest] if newest else []
        if not found:
            Requests(database).take_back(run.run_id, REASON, although_handed_over=True)
            found = runs_of_request(instance, run.run_id, ON_ITS_WAY_S)
        live_runs = LiveRuns(database)
        ended = [cancel_in_dagster(instance, live_runs, one, force=force) for one in found]
        return all(ended)


def _print_result(run: RunSummary, *, has_ended: bool) -> None:
    state = "is cancelled" if has_ended else "is being cancelled"
    click.echo(f"Run {run.run_id} of flow {run.flow_slug} {state}.")
    if not has_ended:
        aside(f"`dagster-pgflow status {str(run.run_id)[:8]}` shows when it has ended.")

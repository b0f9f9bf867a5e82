"""`dagster-pgflow start`: ask for a run, and wait for it if wished."""

from typing import Any
from uuid import UUID

import click

from dagster_pgflow.cli.command import Seconds, command_with_examples
from dagster_pgflow.cli.completion import slug_argument
from dagster_pgflow.cli.console import as_json, aside, print_json
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.cli.run_end import exit_unless_completed, print_end, wait_for_end
from dagster_pgflow.cli.run_input import read_input
from dagster_pgflow.store.requests import Requests
from dagster_pgflow.store.run_status import RunStatusReader


@command_with_examples(
    "start",
    "start ai_workflow",
    """start measure_docs --input '{"folder": "docs"}' --wait""",
    "start order --input @order.json --wait --json",
)
@slug_argument("slug")
@click.option(
    "--input",
    "-i",
    "flow_input",
    metavar="JSON|@FILE|-",
    callback=read_input,
    help="The flow's input: JSON, a file of JSON, or standard input; without it, its defaults.",
)
@click.option("--run-id", type=click.UUID, help="Your own id; the same id twice starts one run.")
@click.option(
    "--priority",
    type=click.IntRange(-(2**31), 2**31 - 1),
    default=0,
    show_default=True,
    help="Requests of a higher one begin first.",
)
@click.option("--wait", "-w", is_flag=True, help="Wait for the end and show what happens.")
@click.option("--timeout", type=Seconds(), help="How many seconds to wait at most.")
@as_json
def command(
    slug: str,
    flow_input: Any,
    run_id: UUID | None,
    priority: int,
    timeout: float | None,
    *,
    wait: bool,
    wants_json: bool,
) -> None:
    """Start a run of a flow.

    The request is a row in the database before anything else happens: Dagster runs it as soon
    as its daemon sees it. With --wait the exit code is 0 when the run completed and 1 when it
    failed or was cancelled.
    """
    with opened_store() as database:
        started = Requests(database).start(slug, flow_input, run_id, priority=priority)
        if wait or timeout is not None:
            run = wait_for_end(database, started, timeout)
        else:
            run = RunStatusReader(database).summary(started)
    if wants_json:
        print_json(run)
    elif run.is_over:
        print_end(run)
    else:
        click.echo(f"Run {run.run_id} of flow {slug} is {run.status}.")
        aside(f"`dagster-pgflow status {str(run.run_id)[:8]}` shows its progress.")
    exit_unless_completed(run)

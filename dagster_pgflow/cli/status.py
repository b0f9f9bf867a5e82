"""`dagster-pgflow status`: how a run is doing, or the latest runs."""

from typing import assert_never, get_args

import click
from rich.console import Console

from dagster_pgflow.cli.attempts import attempt_line
from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.completion import flow_slugs
from dagster_pgflow.cli.console import (
    as_json,
    clock,
    console,
    duration,
    new_table,
    print_json,
    short,
    styled,
    time_of_day,
)
from dagster_pgflow.cli.oddities import oddities
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.cli.reasons import reasons
from dagster_pgflow.cli.run_tree import run_tree
from dagster_pgflow.cli.waits import waits
from dagster_pgflow.model.run_state import RunStatus
from dagster_pgflow.store.deliveries import DeliveryReport
from dagster_pgflow.store.history import FlowHistory
from dagster_pgflow.store.run_status import (
    RunCounts,
    RunReport,
    RunStatusReader,
    RunSummary,
)

ATTEMPTS_SHOWN = 20
WAIT_SHOWN = 60


@command_with_examples(
    "status",
    "status",
    "status 3f2a91c4",
    "status --flow order --status failed",
    "status 3f2a91c4 --json | jq .run.status",
)
@click.argument("run_id", required=False)
@click.option(
    "--limit",
    "-n",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="How many of the latest runs.",
)
@click.option(
    "--flow",
    "flow_slug",
    metavar="SLUG",
    shell_complete=flow_slugs,
    help="Only runs of this flow.",
)
@click.option("--status", type=click.Choice(get_args(RunStatus)), help="Only runs of this status.")
@as_json
def command(
    run_id: str | None,
    limit: int,
    flow_slug: str | None,
    status: RunStatus | None,
    *,
    wants_json: bool,
) -> None:
    """Show a run, or the latest runs.

    The first digits of a run id are enough, and Dagster's own run id works too. Steps are
    listed in the order of their flow, those of a subflow below its step.
    """
    chooses = flow_slug is not None or status is not None
    if run_id is not None and chooses:
        raise click.UsageError("--flow and --status choose among the latest runs; name no run.")
    with opened_store() as database:
        reader = RunStatusReader(database)
        if run_id is None:
            if flow_slug is not None:
                FlowHistory(database).newest_version(flow_slug)  # or there is no such flow
            runs = reader.latest(limit, flow_slug, status)
            print_json(runs) if wants_json else print_runs(runs, console(), are_all=not chooses)
            return
        report = reader.report(reader.find(run_id))
    if wants_json:
        print_json(report)
    else:
        print_report(report, console())


def print_runs(runs: tuple[RunSummary, ...], out: Console, *, are_all: bool = True) -> None:
    """Print runs as a table; one that goes on with another says so."""
    if not runs:
        none = "There are no runs yet; `dagster-pgflow start SLUG` starts one."
        out.print(none if are_all else "There are no such runs.")
        return
    table = new_table("Run", "Flow", "State", "Created", "Took", "Result", numbers=("Took",))
    for run in runs:
        table.add_row(
            str(run.run_id)[:8],
            run.flow_slug,
            styled(run.status),
            clock(run.created_at),
            duration(run.started_at, run.ended_at or run.seen_at),
            _result(run),
        )
    out.print(table)


def _result(run: RunSummary) -> str:
    retry = "" if run.retry_of is None else f"retry of {str(run.retry_of)[:8]}"
    return ": ".join(part for part in (retry, _end(run)) if part)


def _end(run: RunSummary) -> str:
    if run.waiting_for is not None:
        shown = run.waiting_for
        return f"waits for {shown if len(shown) <= WAIT_SHOWN else f'{shown[:WAIT_SHOWN]}…'}"
    if run.error_message:
        first, *more = run.error_message.splitlines()
        return f"{first} …" if more else first
    return "" if run.output is None else short(run.output, 60)


def print_report(report: RunReport, out: Console) -> None:
    """Print a run with its steps."""
    run = report.run
    _print_head(run, out)
    if report.unread_because is not None:
        out.print(f"This may be out of date: the run cannot be read now. {report.unread_because}")
    if report.waits_for is not None:
        out.print(f"Waits:  {report.waits_for}")
    out.print(f"Input:  {short(run.input, 300)}")
    if run.error_message:
        out.print(f"Error:  {run.error_message}")
    elif run.status == "completed":
        out.print(f"Output: {short(run.output, 300)}")
    if report.counts is not None:
        out.print(f"Steps:  {counted(report.counts)}")
    for line in (*waits(report), *oddities(report)):
        out.print(line)
    _print_steps(report, out)
    _print_deliveries(report, out)
    if report.failed_attempts:
        out.print("Failed attempts:")
        for attempt in report.failed_attempts[-ATTEMPTS_SHOWN:]:
            out.print(f"  {time_of_day(attempt.failed_at)}  {attempt_line(attempt)}")


def _print_steps(report: RunReport, out: Console) -> None:
    if report.steps:
        out.print(run_tree(report))
    for line in reasons(report):
        out.print(line)


def _print_deliveries(report: RunReport, out: Console) -> None:
    for delivery in report.deliveries:
        out.print(f"Webhook: {_told(delivery)}")


def _told(delivery: DeliveryReport) -> str:
    tries = _number(delivery.attempts, "attempt", "attempts")
    match delivery.status:
        case "delivered":
            return f"{delivery.event} was delivered, in {tries}"
        case "given_up":
            return f"{delivery.event} was given up after {tries}. {delivery.error_message or ''}"
        case "pending" if delivery.error_message is None:
            return f"{delivery.event} is to be sent"
        case "pending":
            again = time_of_day(delivery.due_at)
            return f"{delivery.event} is sent again at {again}. {delivery.error_message}"
        case other:
            assert_never(other)


def _print_head(run: RunSummary, out: Console) -> None:
    out.print(f"Run {run.run_id} of flow {run.flow_slug}, version {run.flow_version}: ", end="")
    out.print(styled(run.status))
    if run.dagster_run_id not in (None, run.run_id):
        out.print(f"In Dagster: run {run.dagster_run_id}")
    if run.retry_of is not None:
        out.print(f"Retry of run {run.retry_of}")
    out.print(f"Created {clock(run.created_at)}", end="")
    if run.started_at is not None:
        took = duration(run.started_at, run.ended_at or run.seen_at)
        out.print(f", started {clock(run.started_at)}, {'took' if run.ended_at else 'for'} {took}")
    else:
        out.print()


def counted(counts: RunCounts) -> str:
    """Return what a run has cost so far, in words; what there is none of is left out.

    >>> counted(RunCounts(12, 1, 0, 2, 0))
    '12 executed, 1 failed, 2 retries, 0 tokens left'
    """
    few = [
        f"{counts.steps_failed} failed" if counts.steps_failed else "",
        f"{counts.steps_skipped} skipped" if counts.steps_skipped else "",
        _number(counts.retries, "retry", "retries") if counts.retries else "",
    ]
    tokens = f"{_number(counts.tokens_left or 0, 'token', 'tokens')} left"
    return ", ".join([f"{counts.steps_executed} executed", *filter(None, few), tokens])


def _number(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"

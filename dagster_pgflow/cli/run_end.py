"""Waits for the end of a run, and prints it."""

import threading
import time
from contextlib import suppress
from uuid import UUID

import click

from dagster_pgflow.cli.console import aside, duration, print_json
from dagster_pgflow.cli.following_runs import (
    POLL_S,
    ProgressPrinter,
    RunGoesOn,
    hints,
    wait_for_ends,
)
from dagster_pgflow.cli.oddities import oddities
from dagster_pgflow.errors import StoreRefused
from dagster_pgflow.settings import database_patience
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.run_status import RunStatusReader, RunSummary


def wait_for_end(database: Database, run_id: UUID, timeout: float | None) -> RunSummary:
    """Wait for the end of a run, and print on standard error what happens.

    A database that is away meanwhile is waited for, as the run does.

    Args:
        timeout: Seconds; without it the wait has no end.

    Raises:
        RunGoesOn: The time is over.
    """
    patience = database_patience()
    waiting = database.retrying(patience if timeout is None else min(patience, timeout))
    reader = RunStatusReader(waiting)
    printers = {run_id: ProgressPrinter(aside)}
    told = threading.Event()

    def pause(seconds: float) -> None:
        told.wait(seconds)
        told.clear()

    unsubscribe = database.run_ends.subscribe(run_id, told.set)
    try:
        seen = wait_for_ends(reader, printers, timeout, hints(reader, run_id, aside), pause)
    finally:
        unsubscribe()
    report = seen[run_id]
    for line in oddities(report):
        aside(line)
    return report.run


def wait_until_seen(database: Database, run_id: UUID, timeout: float | None) -> None:
    """Wait until the sensors have seen a run that Dagster made.

    Raises:
        RunGoesOn: The time is over.
    """
    reader = RunStatusReader(database)
    deadline = float("inf") if timeout is None else time.monotonic() + timeout
    while True:
        with suppress(StoreRefused):
            reader.summary(run_id)
            return
        if time.monotonic() > deadline:
            raise RunGoesOn(
                f"No sensor has seen run {run_id} within {timeout:g} s. It waits in Dagster: is the"
                " daemon running, and are the sensors of the code location turned on?"
            )
        time.sleep(POLL_S)


def print_end(run: RunSummary) -> None:
    """Print how a run ended, on standard error, and its output alone on standard output."""
    took = duration(run.started_at, run.ended_at)
    aside(f"Run {run.run_id} of flow {run.flow_slug} {run.status}{took and f' in {took}'}.")
    if run.error_message:
        aside(run.error_message)
    elif run.status == "completed":
        print_json(run.output)


def exit_unless_completed(run: RunSummary) -> None:
    """End with exit code 1 when a run did not complete."""
    if run.status in ("failed", "cancelled"):
        raise click.exceptions.Exit(1)

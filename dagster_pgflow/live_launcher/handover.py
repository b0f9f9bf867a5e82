"""A run goes to a live worker, or it does not: in the end one of the two is certain."""

import time
from typing import Final
from uuid import UUID

import dagster as dg

from dagster_pgflow.errors import StoreError
from dagster_pgflow.names import TAG_ORDINARY
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.live_runs import LiveRuns

BUSY_WAIT_S: Final = 0.5
"""How long a run waits for live workers that are all busy: their runs may be short."""

CERTAIN_WITHIN_S: Final = 30.0
"""How long a store that went away meanwhile is asked what became of an offer."""

_FIRST_PAUSE_S: Final = 0.01
_LONGEST_PAUSE_S: Final = 0.1


def hand_over(
    instance: dg.DagsterInstance,
    database: Database,
    run: dg.DagsterRun,
    code_location: str,
    wait_s: float,
) -> bool:
    """Offer a run to the live workers of its code location; return whether one has it.

    Args:
        instance: The Dagster instance.
        database: The store.
        run: The run.
        code_location: The code location, by Dagster's name.
        wait_s: How long it is offered.

    Raises:
        StoreError: The store cannot be asked; no live worker has the run.
    """
    live_runs, run_id = LiveRuns(database), UUID(run.run_id)
    try:
        live_runs.offer(run_id, code_location)
    except StoreError as error:
        if not error.is_in_doubt:
            raise
        return _is_taken_after_trouble(instance, database, run)
    try:
        return _is_taken_within(live_runs, run_id, wait_s)
    except StoreError:
        return _is_taken_after_trouble(instance, database, run)


def _is_taken_within(live_runs: LiveRuns, run_id: UUID, seconds: float) -> bool:
    deadline, pause = time.monotonic() + seconds, _FIRST_PAUSE_S
    while time.monotonic() < deadline:
        if live_runs.is_taken(run_id) is not False:
            return True
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)
    return not live_runs.withdraw(run_id)


def _is_taken_after_trouble(
    instance: dg.DagsterInstance, database: Database, run: dg.DagsterRun
) -> bool:
    """Find out who has a run, once the store can be asked again."""
    live_runs, run_id = LiveRuns(database.retrying(CERTAIN_WITHIN_S)), UUID(run.run_id)
    try:
        if live_runs.withdraw(run_id):
            return False
        if live_runs.is_taken(run_id):
            return True
    except StoreError:
        if not _has_begun(instance, run):
            # A worker that comes upon the offer later sees that the run is not its own.
            instance.add_run_tags(run.run_id, {TAG_ORDINARY: run.run_id})
            return False
    return _has_begun(instance, run)


def _has_begun(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    now = instance.get_run_by_id(run.run_id)
    return now is None or now.status is not run.status

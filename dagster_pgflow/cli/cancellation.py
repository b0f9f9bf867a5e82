"""Cancels runs in Dagster, as "terminate" of its web UI does."""

import time
from uuid import UUID

import dagster as dg

from dagster_pgflow.cli.dagster_instance import known_run, without_passwords
from dagster_pgflow.errors import StoreRefused
from dagster_pgflow.launching.live_ends import ask_live_run_to_end
from dagster_pgflow.names import TAG_RUN_ID, child_run_path
from dagster_pgflow.store.live_runs import LiveRuns

END_TIMEOUT_S = 10.0
"""How long a run in Dagster is given to end."""

POLL_S = 0.25


def runs_of_request(instance: dg.DagsterInstance, run_id: UUID, wait_s: float) -> list[UUID]:
    """Return the runs that Dagster made of a request.

    Args:
        wait_s: How long to look for one that is on its way.
    """
    deadline = time.monotonic() + wait_s
    wanted = dg.RunsFilter(tags={TAG_RUN_ID: str(run_id)})
    while True:
        found = [run for run in instance.get_runs(wanted) if _is_of_request(run)]
        if found or time.monotonic() >= deadline:
            return [UUID(run.run_id) for run in found]
        time.sleep(POLL_S)


def _is_of_request(run: dg.DagsterRun) -> bool:
    """Return whether a run is no repetition of another one, nor a part; both have the same tags."""
    return run.parent_run_id is None and child_run_path(run.run_id, run.tags) is None


def cancel_in_dagster(
    instance: dg.DagsterInstance,
    live_runs: LiveRuns,
    dagster_run_id: UUID,
    *,
    force: bool = False,
) -> bool:
    """Cancel a run.

    Args:
        live_runs: The runs of live workers, which are asked without any run launcher.
        force: Mark it as cancelled, whatever its process does.

    Returns:
        Whether it has ended already.

    Raises:
        StoreRefused: It is over, or Dagster cannot cancel it.
    """
    run = known_run(instance, dagster_run_id)
    if run.is_finished:
        raise StoreRefused(
            f"Run {run.run_id} is over in Dagster ({run.status.value.lower()}), so there is"
            " nothing to cancel; `dagster-pgflow status` shows it as soon as the sensors have"
            " seen it."
        )
    reason = _ask(instance, live_runs, run)
    if force:
        now = known_run(instance, dagster_run_id)
        if not now.is_finished:
            instance.report_run_canceled(now, message="Cancelled by dagster-pgflow cancel --force.")
        return True
    if reason is not None:
        raise StoreRefused(
            f"Dagster cannot cancel run {run.run_id}: {reason} `--force` marks it as"
            " cancelled, whatever its process does."
        )
    return _ends(instance, run.run_id)


def _ask(instance: dg.DagsterInstance, live_runs: LiveRuns, run: dg.DagsterRun) -> str | None:
    """Ask for the end of a run; return why that cannot be."""
    if ask_live_run_to_end(instance, live_runs, run):
        return None
    try:
        if instance.run_coordinator.cancel_run(run.run_id):
            return None
    except Exception as error:  # noqa: BLE001  launchers raise what their platform raises
        return without_passwords(error)
    return "its process does not answer."


def _ends(instance: dg.DagsterInstance, dagster_run_id: str) -> bool:
    deadline = time.monotonic() + END_TIMEOUT_S
    while time.monotonic() < deadline:
        run = instance.get_run_by_id(dagster_run_id)
        if run is None or run.is_finished:
            return True
        time.sleep(POLL_S)
    return False

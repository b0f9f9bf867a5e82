"""Does Dagster work, is its daemon alive, are our sensors on?"""

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg

from dagster_pgflow.cli.checks.check import Check, failed, ok, skipped, warning
from dagster_pgflow.cli.checks.run_launcher import check_run_launcher
from dagster_pgflow.cli.checks.serving import LatestRuns, check_serving
from dagster_pgflow.cli.checks.traps import check_project_file, check_storage_url
from dagster_pgflow.cli.console import in_words
from dagster_pgflow.cli.dagster_home import HOME_VARIABLE
from dagster_pgflow.cli.dagster_instance import opened_instance, without_passwords
from dagster_pgflow.dagster_storage import storage_kind
from dagster_pgflow.errors import PgflowError
from dagster_pgflow.store.database import Database

SENSOR_DAEMON = "SENSOR"
SENSOR_ENDINGS = ("_requests", "_catalog", "_asset_events", "_projection", "_stuck_runs")


def check_dagster(database: Database | None) -> Iterator[Check]:
    """Look at the Dagster instance that DAGSTER_HOME names.

    Args:
        database: The store that it should serve; none when the store is not in order.
    """
    yield from check_project_file(Path.cwd())
    home = os.environ.get(HOME_VARIABLE, "").strip()
    if not home:
        yield skipped("Dagster", f"{HOME_VARIABLE} is not set here, so it was not looked at")
        return
    traps = list(check_storage_url(Path(home).expanduser()))
    yield from traps
    if traps:
        return
    try:
        with opened_instance() as instance:
            yield ok(
                "Dagster storage",
                f"{instance.get_runs_count()} runs, {HOME_VARIABLE}={home}{_faster(instance)}",
            )
            yield from _check_daemon(instance)
            yield from _check_sensors(instance)
            if database is not None:
                yield from check_serving(instance, LatestRuns.by(database))
                yield from check_run_launcher(instance, database)
    except PgflowError as error:
        yield failed("Dagster storage", str(error))
    except Exception as error:  # noqa: BLE001  a storage raises what its driver raises
        reason = without_passwords(error)[:300]
        yield failed("Dagster storage", f"It does not answer ({HOME_VARIABLE}={home}): {reason}")


def _faster(instance: dg.DagsterInstance) -> str:
    if storage_kind(instance) != "postgres":
        return ""
    return "; BufferedPostgresStorage makes small steps several times faster here"


def _check_daemon(instance: dg.DagsterInstance) -> Iterator[Check]:
    status = instance.get_daemon_statuses().get(SENSOR_DAEMON)
    beat = None if status is None else status.last_heartbeat
    if beat is None:
        yield failed(
            "Dagster daemon", "It has never run, so no request is served; start `dagster dev`."
        )
        return
    age = in_words(timedelta(seconds=time.time() - beat.timestamp))
    if status is not None and status.healthy:
        yield ok("Dagster daemon", f"last heartbeat {age} ago")
    else:
        yield failed(
            "Dagster daemon",
            f"Its last heartbeat was {age} ago; start `dagster dev` or its daemon.",
        )


def _check_sensors(instance: dg.DagsterInstance) -> Iterator[Check]:
    off = sorted(
        state.instigator_name
        for state in instance.all_instigator_state()
        if state.instigator_name.endswith(SENSOR_ENDINGS) and not state.is_running
    )
    if off:
        yield warning("Sensors", f"Turned off: {', '.join(off)}; turn them on in the Dagster UI.")

"""Is it one Dagster, and one code location, that serves the requests of the store?"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import dagster as dg

from dagster_pgflow.cli.checks.check import Check, warning
from dagster_pgflow.names import TAG_RUN_ID, TAG_STORE, older_key
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.run_status import RunStatusReader

RUNS_LOOKED_AT = 100
ALIVE_S = 120.0
TAG_LOCATION = "dagster/code_location"
TAG_SENSOR = "dagster/sensor_name"


@dataclass(frozen=True)
class LatestRuns:
    """A store, and who began its latest runs.

    Attributes:
        store_id: Its id, which no other store has.
        dagster_run_ids: The latest runs that a Dagster has begun.
    """

    store_id: UUID
    dagster_run_ids: tuple[UUID, ...]

    @classmethod
    def by(cls, database: Database) -> "LatestRuns":
        """Ask the store."""
        runs = RunStatusReader(database).latest(RUNS_LOOKED_AT)
        begun = tuple(run.dagster_run_id for run in runs if run.dagster_run_id is not None)
        return cls(Catalog(database).store_id(), begun)


def check_serving(instance: dg.DagsterInstance, served: LatestRuns) -> Iterator[Check]:
    """Look for another Dagster, and for another code location, that serves the same store."""
    strangers = _unknown(instance, served)
    if strangers and len(strangers) == len(served.dagster_run_ids):
        yield warning(
            "One Dagster",
            "This Dagster knows none of the latest runs of this store; DAGSTER_HOME belongs to"
            " another Dagster than the one that serves it.",
        )
    elif strangers:
        yield warning(
            "One Dagster",
            f"This Dagster does not know {len(strangers)} of the latest"
            f" {len(served.dagster_run_ids)} runs of this store, such as {strangers[0]}: they were"
            " deleted here, or another Dagster serves this store too, and takes some of its"
            " requests.",
        )
    sensors = _sensors_at_work(instance, served)
    if len(sensors) > 1:
        yield warning(
            "One sensor",
            f"The requests of this store are served by {len(sensors)} sensors,"
            f" {' and '.join(sensors)}; turn off all but one, or give each code location a"
            " database of its own.",
        )


def _unknown(instance: dg.DagsterInstance, served: LatestRuns) -> list[UUID]:
    if not served.dagster_run_ids:
        return []
    listed = [str(run_id) for run_id in served.dagster_run_ids]
    known = {run.run_id for run in instance.get_runs(dg.RunsFilter(run_ids=listed))}
    return [run_id for run_id in served.dagster_run_ids if str(run_id) not in known]


def _sensors_at_work(instance: dg.DagsterInstance, served: LatestRuns) -> list[str]:
    """Return the sensors that began runs of the store and ticked a moment ago."""
    filters = [
        dg.RunsFilter(tags={key: str(served.store_id)}) for key in (TAG_STORE, older_key(TAG_STORE))
    ]
    began = {
        (run.tags[TAG_LOCATION], run.tags[TAG_SENSOR])
        for ours in filters
        for run in instance.get_runs(ours, limit=RUNS_LOOKED_AT)
        if {TAG_LOCATION, TAG_SENSOR, TAG_RUN_ID} <= run.tags.keys()
    }
    alive = {
        (state.origin.repository_origin.code_location_origin.location_name, state.instigator_name)
        for state in instance.all_instigator_state()
        if state.is_running and _age(state.instigator_data) < ALIVE_S
    }
    return [f"{sensor} ({location})" for location, sensor in sorted(began & alive)]


def _age(data: object) -> float:
    """Return the seconds since the last tick of a sensor; schedules say nothing of it."""
    ticked = getattr(data, "last_tick_timestamp", None)
    return float("inf") if ticked is None else time.time() - float(ticked)

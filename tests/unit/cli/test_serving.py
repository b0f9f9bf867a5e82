"""doctor, where more than one Dagster or code location serves a store."""

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
)

from dagster_pgflow.cli.checks.serving import LatestRuns, check_serving
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import TAG_RUN_ID
from dagster_pgflow.store.database import Database
from tests.execution.projecting import World, opened_world
from tests.postgres import Session


@pytest.fixture
def world(
    database: Database, sql: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """A store that one Dagster serves."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with dg.DagsterInstance.get() as instance, opened_world(database, sql, instance) as world:
        world.define(Flow("f").step("a"))
        begin(world, "shop", "pgflow_requests")
        tick(world, "shop", "pgflow_requests", 5)
        world.project()
        yield world


def begin(world: World, location: str, sensor: str) -> None:
    """Makes a run, as a sensor of a code location does."""
    job = world.job("f", {"a": print})
    tags = {"dagster/code_location": location, "dagster/sensor_name": sensor}
    world.instance.create_run_for_job(job, tags={**job.tags, **tags, TAG_RUN_ID: str(uuid4())})


def tick(world: World, location: str, sensor: str, seconds_ago: float) -> None:
    """Leaves the mark that the daemon leaves after a tick."""
    repository = RemoteRepositoryOrigin(
        GrpcServerCodeLocationOrigin("localhost", 1, location_name=location), "pgflow"
    )
    data = SensorInstigatorData(last_tick_timestamp=time.time() - seconds_ago)
    world.instance.add_instigator_state(
        InstigatorState(
            RemoteInstigatorOrigin(repository, sensor),
            InstigatorType.SENSOR,
            InstigatorStatus.DECLARED_IN_CODE,
            data,
        )
    )


def told(world: World) -> dict[str, str]:
    served = LatestRuns.by(world.database)
    return {check.name: check.says for check in check_serving(world.instance, served)}


def test_one_dagster_with_one_code_location_is_as_it_should_be(world: World) -> None:
    assert told(world) == {}


def test_a_second_code_location_at_work_is_told(world: World) -> None:
    begin(world, "other", "mine_requests")
    assert told(world) == {}  # it may have been renamed, or be gone
    tick(world, "other", "mine_requests", 5)
    assert list(told(world)) == ["One sensor"]
    assert "mine_requests (other) and pgflow_requests (shop)" in told(world)["One sensor"]


def test_a_sensor_that_ticked_long_ago_serves_nothing(world: World) -> None:
    begin(world, "other", "mine_requests")
    tick(world, "other", "mine_requests", 5000)
    assert told(world) == {}


def test_runs_that_this_dagster_does_not_know_are_told(world: World) -> None:
    stranger = uuid4()
    world.sql(
        "insert into pgflow.runs (run_id, dagster_run_id, flow_slug) values (%s, %s, 'f')",
        str(uuid4()),
        str(stranger),
    )
    assert f"1 of the latest 2 runs of this store, such as {stranger}" in told(world)["One Dagster"]
    for run in world.instance.get_runs():
        world.instance.delete_run(run.run_id)
    assert "knows none of the latest runs" in told(world)["One Dagster"]

"""Runs of one version of the code, while a newer one migrates their store."""

import os
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.migrator import migrate
from dagster_pgflow.store.schema_version import packaged_migrations
from tests.execution import elsewhere
from tests.execution.projecting import World, assert_states_add_up
from tests.execution.projecting_elsewhere import start_elsewhere, world
from tests.polling import poll

WORKS = "-- old code: works\nalter table pgflow.runs add column colour text not null default 'red';"
STOPS = "-- old code: stops\nalter table pgflow.runs rename column colour to color;"

__all__ = ["world"]


def run_across(bring: Callable[..., Path], *sql: str, world: World, database: Database) -> None:
    """Migrates between two steps of a run, each in a process that opens the store anew."""
    world.define(
        Flow("f", max_attempts=1)
        .step("a", handler="patient")
        .step("b", handler="listed", depends_on="a")
        .map("m", handler="quick", depends_on="b")
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(elsewhere.EXECUTOR, "one_process_at_a_time")
        process = start_elsewhere("f")
    folder = Path(os.environ[elsewhere.FOLDER])
    poll((folder / "begun").exists)
    bring(*sql)
    assert len(migrate(database)) == len(sql)
    (folder / "repaired").touch()
    process.wait(300)


def test_a_run_goes_on_after_a_migration_that_old_code_can_live_with(
    world: World, database: Database, with_migrations: Callable[..., Path]
) -> None:
    run_across(with_migrations, WORKS, world=world, database=database)
    world.settle()
    row = world.one("runs")
    assert (row["status"], row["output"], row["colour"]) == ("completed", {"m": [1, 2, 3]}, "red")
    assert_states_add_up(world)


def test_a_run_says_why_it_cannot_go_on_after_one_that_old_code_cannot_live_with(
    world: World, database: Database, with_migrations: Callable[..., Path]
) -> None:
    known = packaged_migrations()[-1].version
    run_across(with_migrations, WORKS, STOPS, world=world, database=database)
    [run] = world.instance.get_runs()
    assert run.status is dg.DagsterRunStatus.FAILURE
    errors = [str(entry.dagster_event) for entry in world.instance.all_logs(run.run_id)]
    told = f"cannot work with migration {known + 2} (new); upgrade dagster_pgflow"
    assert any(told in error for error in errors)

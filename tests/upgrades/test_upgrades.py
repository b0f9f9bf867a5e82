"""A store of every released version is brought to the version of today, and goes on.

A release leaves a record of runs (`tests.recorded.archive`), and its migrations are frozen. So its
schema can be made again, its rows are put in, and the migrations since are applied to them. Where a
migration changes rows on purpose, what it makes of them is compared here with what they were.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from dagster_pgflow.store import schema_version
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.migrator import make_roles, migrate
from dagster_pgflow.store.released import released_migrations
from dagster_pgflow.store.schema_changes.dump import dumped_objects
from dagster_pgflow.store.schema_version import packaged_migrations
from dagster_pgflow.version import __version__
from tests.execution.elsewhere import HANDLERS
from tests.execution.interrupted import execute, going_on
from tests.execution.projecting import World, opened_world
from tests.execution.projecting_elsewhere import dagster_in_postgres
from tests.postgres import ROLE_PREFIX, Server, Session
from tests.recorded.archive import put_back, records, rows_in, rows_now, runs_in, tables_in

RELEASES = [name for name in records() if re.fullmatch(r"\d+\.\d+\.\d+", name)]
UNDER_WAY = "its worker died"
"""The run of a record that nobody has ended: to a store it is at work."""


def number(release: str) -> tuple[int, ...]:
    return tuple(map(int, release.split(".")))


def migrate_as(release: str, database: Database, folder: Path) -> None:
    """Makes the schema as a release made it."""
    released = released_migrations()
    for migration in packaged_migrations():
        name = migration.file.name
        # Until it is frozen, the version of today has all that no release had before it.
        by = released[name].release if name in released else __version__
        if number(by) <= number(release):
            (folder / name).write_bytes(migration.file.read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema_version, "MIGRATIONS_FOLDER", folder)
        migrate(database)


@pytest.fixture(scope="module", params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def world(
    release: str, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A store that a release has filled and the code of today has migrated."""
    with (
        server.database(migrated=False) as url,
        server.database(migrated=False) as storage_url,
        dagster_in_postgres(storage_url, tmp_path_factory.mktemp("dagster")) as instance,
    ):
        database, store, storage = Database(url), Session(url), Session(storage_url)
        migrate_as(release, database, tmp_path_factory.mktemp("migrations"))
        put_back(release, store, storage, tables_in(release))
        migrate(database)
        make_roles(database, ROLE_PREFIX)
        with opened_world(database, store, instance) as world:
            yield world
        for opened in (database, store, storage):
            opened.close()


def test_every_release_has_a_record() -> None:
    released = {release.release for release in released_migrations().values()}
    assert released <= set(RELEASES), "run `make release-record`"


def test_the_schema_is_that_of_a_new_store(world: World, database_url: str) -> None:
    assert dumped_objects(world.sql.connection.dsn) == dumped_objects(database_url)


def test_no_row_is_lost_or_changed(world: World, release: str) -> None:
    [identity] = rows_in(release, "store")
    assert world.sql.value("select store_id::text from pgflow.store") == identity["store_id"]
    for table in set(tables_in(release)) - {"store"}:
        now = rows_now(release, table, world.sql)
        assert sorted(map(repr, now)) == sorted(map(repr, rows_in(release, table))), table


def test_runs_under_way_end_or_go_on(world: World, release: str) -> None:
    [run_id] = [run.run_id for run in runs_in(release) if run.name == UNDER_WAY]
    assert status_of(world, run_id) == "started"
    run = world.instance.get_run_by_id(run_id)
    assert run is not None
    for unended in world.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        world.instance.report_run_failed(unended, "The worker is gone.")
    settle(world)
    assert status_of(world, run_id) == "failed"

    job = world.job(run.job_name, {**HANDLERS, "endless": lambda value: value})
    again = execute(world.instance, job, going_on(world.instance, job, run))
    assert again.is_success
    settle(world)
    assert status_of(world, again.run_id) == "completed"


def test_what_was_asked_for_before_is_run_and_so_is_what_is_asked_for_now(
    world: World, release: str
) -> None:
    waiting = [run.run_id for run in runs_in(release) if run.name == "requested and waiting"]
    asked = world.requests.start("requested", [2])
    pending = {str(request.run_id): request for request in world.waiting.pending(10)}
    assert {*waiting, str(asked)} <= set(pending)
    handlers = {"echo": lambda value: value}
    for run_id in (*waiting, str(asked)):
        world.run("requested", handlers, [1], run_id=pending[run_id].run_id)
    settle(world)
    assert {status_of(world, run_id) for run_id in (*waiting, str(asked))} == {"completed"}


def settle(world: World) -> None:
    """Looks twice at each run: not at what Dagster has lost before its end, which never ends."""
    for _ in range(2):
        world.sql("update pgflow.run_cursors set due_at = now()")
        assert world.project().problems == []


def status_of(world: World, run_id: str) -> str:
    return str(
        world.sql.value(
            "select status from pgflow.runs where coalesce(dagster_run_id, run_id) = %s"
            " or run_id = %s",
            run_id,
            run_id,
        )
    )

"""A dump of the data alone, in a schema that was just made."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from dagster_pgflow.embedded.binaries import by_major_version
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.database import Database
from tests.execution.projecting import World, opened_world, world
from tests.postgres import Server, Session

PROGRAMS = by_major_version()[max(by_major_version())]
HANDLERS = {"double": lambda value: value * 2, "listed": lambda _: [1, 2, 3]}
INNER = Flow("inner").step("double", handler="double")
FLOW = Flow("f").step("listed", handler="listed").map("m", depends_on="listed", handler="double")
OUTER = (
    Flow("outer")
    .step("listed", handler="listed")
    .subflow("each", INNER, over="listed", depends_on="listed", input={"value": "$item"})
)
SCHEDULE = """
insert into pgflow.schedules (flow_slug, schedule_slug, cron) values ('f', 's', '0 0 * * *')
"""

__all__ = ["world"]


@pytest.fixture
def other_url(server: Server) -> Iterator[str]:
    with server.database() as url:
        yield url


def filled(world: World) -> None:
    """Defines flows more than once, runs some, and leaves a request and a schedule."""
    world.define(Flow("f").step("old", handler="double"))
    world.define(FLOW, INNER, Flow("gone").step("a"))
    world.define(OUTER)
    world.builder.delete_flow("gone")
    world.sql(SCHEDULE)
    world.run("f", HANDLERS, {}, run_id=world.requests.start("f", {}))
    world.run("outer", HANDLERS, {})
    world.settle()
    world.requests.start("f", {"waits": True})


def everything(sql: Session) -> dict[str, list[tuple[object, ...]]]:
    tables = sql.column(
        "select relname::text from pg_class where relnamespace = 'pgflow'::regnamespace"
        " and relkind = 'r' and relname <> 'migrations' order by 1"
    )
    return {name: sorted(sql(f"select * from pgflow.{name}"), key=repr) for name in tables}


def copied(source: str, target: str, folder: Path, form: str) -> None:
    """Does what the page of deployment says, in one of the forms of a dump."""
    dump = folder / "dump"
    to_dump: list[str | Path] = [PROGRAMS / "pg_dump", "--data-only", "--schema=pgflow", "-f", dump]
    subprocess.run([*to_dump, f"--format={form}", source], check=True, capture_output=True)
    if form == "plain":
        command: list[str | Path] = [
            PROGRAMS / "psql",
            "-Xq",
            "-v",
            "ON_ERROR_STOP=1",
            "-1",
            "-f",
            dump,
            target,
        ]
    else:
        command = [PROGRAMS / "pg_restore", "-1", "--exit-on-error", "-d", target, dump]
    restored = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (restored.returncode, restored.stderr) == (0, "")


@pytest.mark.parametrize("form", ["plain", "custom"])
def test_a_dump_of_the_data_alone_restores_into_a_new_schema_and_goes_on(
    world: World, other_url: str, database_url: str, tmp_path: Path, form: str
) -> None:
    filled(world)
    before = everything(world.sql)
    assert min(len(before[name]) for name in ("deps", "subruns", "step_outputs", "schedules")) > 0
    copied(database_url, other_url, tmp_path, form)
    there, database = Session(other_url), Database(other_url)
    try:
        assert everything(there) == before
        with opened_world(database, there, world.instance) as copy:
            assert_goes_on(copy)
    finally:
        there.close()
        database.close()


def assert_goes_on(world: World) -> None:
    """The request that waited runs, and versions are counted on."""
    watermark = world.sql.value("select max(version_id) from pgflow.flow_versions")
    [asked] = world.waiting.pending(10)
    given = world.waiting.requested_input(str(asked.run_id))
    world.run("f", HANDLERS, given, run_id=asked.run_id)
    world.settle()
    assert world.one("runs", f"run_id = '{asked.run_id}'")["status"] == "completed"
    world.define(INNER, OUTER)
    assert world.sql.value("select max(version_id) from pgflow.flow_versions") == watermark
    world.define(FLOW.step("more", handler="double", depends_on="m"))
    assert world.sql.value("select max(version_id) from pgflow.flow_versions") == watermark + 1


def test_a_schema_takes_the_identity_that_a_dump_brings_and_keeps_one(sql: Session) -> None:
    sql("insert into pgflow.store (store_id) values ('00000000-0000-0000-0000-000000000001')")
    assert sql("select store_id::text from pgflow.store") == [
        ("00000000-0000-0000-0000-000000000001",)
    ]
    before = sql("select * from pgflow.migrations")
    sql("insert into pgflow.migrations select * from pgflow.migrations")
    assert sql("select * from pgflow.migrations") == before
    with pytest.raises(psycopg2.Error, match=r"Migration 1 \(initial\) of this data was another"):
        sql("insert into pgflow.migrations select 1, 'initial', now(), 'another', false")

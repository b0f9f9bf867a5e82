"""What is notified of runs and steps on one channel, and that nobody pays much for it."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.run_cursor import FoundRun, NextLook
from dagster_pgflow.store.address import parse_address
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.listener import Listener
from dagster_pgflow.store.run_tables import RunTables
from tests.postgres import Session, as_role
from tests.sql_work import CountingDatabase
from tests.unit.projection.seen_runs import NOON, RUN_ID, SeenRun

TOP = Flow("top").step("a").step("b", depends_on="a")
BEGUN = SeenRun([TOP]).then("run_started").does("a", 1)
ENDED = BEGUN.does("b", 2).then("run_completed")
GOES_ON = NextLook("1", is_over=False, is_final=False, pause=0)
A_RUN = """
    insert into pgflow.runs (run_id, flow_slug, status)
    values (%s, 'top', 'started') returning run_id::text"""


@pytest.fixture
def heard(database_url: str, sql: Session) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Returns what was told since the last call: a last word of ours comes behind all others."""
    listener = Listener(parse_address(database_url), "pgflow_events", "last_word")
    listener.open()

    def hear() -> list[dict[str, Any]]:
        sql("notify last_word")
        told: list[dict[str, Any]] = []
        while True:
            assert listener.wait(60)
            for channel, text in listener.heard():
                if channel == "last_word":
                    return told
                told.append(json.loads(text))

    yield hear
    listener.close()


@pytest.fixture
def tables(database: Database) -> RunTables:
    tables = RunTables(database)
    tables.register([FoundRun(RUN_ID, None, NOON)], "runs", {})
    return tables


def save(tables: RunTables, seen: SeenRun, *, rewrite: bool = False) -> None:
    [cursor] = tables.due(tables.clock(), 10, None)
    assert tables.save(cursor, seen.state(), seen.events(), GOES_ON, rewrite=rewrite)


def short(told: list[dict[str, Any]]) -> list[str]:
    return [f"{event.get('step', 'run')} {event['status']}" for event in told]


def test_each_change_is_told_in_the_order_of_events(
    tables: RunTables, heard: Callable[[], list[dict[str, Any]]]
) -> None:
    save(tables, BEGUN)
    told = heard()
    # A run that nobody asked for is a row before it is known how far it is.
    assert short(told) == ["run queued", "run started", "a completed"]
    save(tables, ENDED)
    told = heard()
    assert short(told) == ["b completed", "run completed"]
    assert told[0] == {
        "run": str(RUN_ID),
        "flow": "top",
        "step": "b",
        "status": "completed",
        "at": "2026-01-01T12:00:05.000000Z",
    }
    assert told[1]["at"] == "2026-01-01T12:00:06.000000Z"


def test_a_rebuild_tells_nothing_that_is_as_it_was(
    tables: RunTables, heard: Callable[[], list[dict[str, Any]]]
) -> None:
    save(tables, ENDED)
    assert heard()
    tables.reopen()
    save(tables, ENDED, rewrite=True)
    assert heard() == []


def test_a_run_that_is_refused_is_told(
    sql: Session, heard: Callable[[], list[dict[str, Any]]]
) -> None:
    sql("select pgflow.create_flow('f'); select pgflow.add_step('f', 's', handler => 'h')")
    sql("select pgflow.refuse_run(run_id, 'no') from pgflow.start_flow('f', '{}') as run")
    assert [(told["flow"], told["status"]) for told in heard()] == [
        ("f", "queued"),
        ("f", "failed"),
    ]


@pytest.mark.parametrize("character", ["x", '"', "\x01", "\U0001f600", "\\"])
def test_what_is_long_is_cut_and_never_fails(
    sql: Session, heard: Callable[[], list[dict[str, Any]]], character: str
) -> None:
    run_id = sql.value(A_RUN, str(uuid4()))
    sql("update pgflow.runs set flow_slug = %s, status = 'failed'", character * 500)
    sql(
        """
        insert into pgflow.step_states (run_id, step_path, step_slug, flow_slug, status)
        values (%s, %s, 's', %s, 'started')
        """,
        run_id,
        character * 2000,
        character * 100_000,
    )
    [_, of_run, of_step] = heard()
    assert of_run["flow"] == of_step["flow"] == character * 128
    assert of_step["step"] == character * 997 + "..."


def test_ten_thousand_steps_are_told_by_one_statement(
    sql: Session, heard: Callable[[], list[dict[str, Any]]]
) -> None:
    run_id = sql.value(A_RUN, str(uuid4()))
    insert = """
        insert into pgflow.step_states (run_id, step_path, step_slug, flow_slug)
        select %s, 's' || number, 's', 'top' from generate_series(1, 10000) as number"""
    sql(insert, run_id)
    assert short(heard()) == ["run started"]
    sql("update pgflow.step_states set status = 'completed', completed_at = now()")
    assert len(heard()) == 10_000
    sql("update pgflow.step_states set output = '1'")
    assert heard() == []


def test_telling_looks_at_no_more_rows_the_more_steps_there_are(
    database_url: str, sql: Session
) -> None:
    database = CountingDatabase(database_url)
    run_id = sql.value(A_RUN, str(uuid4()))

    def insert(first: int, last: int) -> int:
        def write() -> None:
            with database.transaction() as transaction:
                transaction.run_script(
                    "insert into pgflow.step_states"
                    " (run_id, step_path, step_slug, flow_slug, status)"
                    f" select '{run_id}', 's' || number, 's', 'top', 'started'"
                    f" from generate_series({first}, {last}) as number"
                )

        return database.work_of(write).rows

    insert(1, 10)
    few = insert(11, 20)
    assert insert(21, 1020) - few < 3 * 1000
    database.close()


def test_nothing_is_told_where_it_is_turned_off(
    sql: Session, heard: Callable[[], list[dict[str, Any]]]
) -> None:
    sql("select pgflow.tell_events(false)")
    sql(A_RUN, str(uuid4()))
    assert heard() == []
    sql("select pgflow.tell_events()")
    sql(A_RUN, str(uuid4()))
    assert short(heard()) == ["run started"]
    sql("select pgflow.tell_events(null)")


def test_where_tenants_are_isolated_nothing_is_told_unless_asked_for(
    sql: Session, heard: Callable[[], list[dict[str, Any]]]
) -> None:
    if sql.connection.server_version < 150000:
        return
    sql("insert into pgflow.tenants values ('everybody', '*'); select pgflow.isolate_tenants()")
    sql(A_RUN, str(uuid4()))
    assert heard() == []
    sql("select pgflow.tell_events()")
    sql(A_RUN, str(uuid4()))
    assert short(heard()) == ["run started"]
    sql("select pgflow.isolate_tenants(false), pgflow.tell_events(null)")


def test_a_writer_with_the_rights_of_a_worker_tells(
    sql: Session, database_url: str, heard: Callable[[], list[dict[str, Any]]]
) -> None:
    worker = Session(as_role(database_url, "worker"))
    worker(A_RUN, str(uuid4()))
    worker.close()
    assert short(heard()) == ["run started"]


@pytest.mark.parametrize("status", ["waiting", "completed", "failed", "cancelled"])
def test_that_a_run_rests_or_ends_is_told_behind_its_steps(
    sql: Session, heard: Callable[[], list[dict[str, Any]]], status: str
) -> None:
    run_id = sql.value(A_RUN, str(uuid4()))
    with sql.transaction():
        sql("update pgflow.runs set status = %s", status)
        sql(
            """
            insert into pgflow.step_states (
              run_id, step_path, step_slug, flow_slug, status, waiting_since
            )
            values (%s, 'ask', 'ask', 'top', 'waiting', '2100-01-01 12:00+00')
            """,
            run_id,
        )
    told = heard()
    assert short(told) == ["run started", "ask waiting", f"run {status}"]
    assert told[1]["at"] == "2100-01-01T12:00:00.000000Z"

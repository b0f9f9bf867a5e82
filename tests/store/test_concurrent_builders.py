import threading
from collections.abc import Callable
from typing import Any

import psycopg2
import pytest

from dagster_pgflow.errors import PgflowError, StoreRefused
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.flows import FlowBuilder
from tests.polling import poll
from tests.postgres import Session

NewSession = Callable[[], Session]


class Waiting:
    """A statement in another session that waits for a lock."""

    def __init__(self, watcher: Session, session: Session, statement: str) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self.error: psycopg2.Error | None = None
        session("set application_name to 'waiting'")
        self._thread = threading.Thread(target=self._run, args=(session, statement))
        self._thread.start()
        poll(
            lambda: watcher.value(
                "select count(*) from pg_stat_activity"
                " where application_name = 'waiting' and wait_event_type = 'Lock'"
                " and datname = current_database()"
            )
        )

    def finish(self) -> None:
        self._thread.join()

    def _run(self, session: Session, statement: str) -> None:
        try:
            self.rows = session(statement)
        except psycopg2.Error as error:
            self.error = error


def together(count: int, work: Callable[[int], object]) -> list[object]:
    """Runs work in as many threads at the same time; returns results and errors."""
    results: list[object] = [None] * count
    start = threading.Barrier(count)

    def run(number: int) -> None:
        start.wait()
        try:
            results[number] = work(number)
        except PgflowError as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_the_second_creator_gets_the_flow_of_the_first(
    sql: Session, new_session: NewSession
) -> None:
    first, second = new_session(), new_session()
    first("begin")
    first("select pgflow.create_flow('f', 7)")
    waiting = Waiting(sql, second, "select opt_max_attempts from pgflow.create_flow('f', 9)")
    first("commit")
    waiting.finish()
    assert waiting.rows == [(7,)]


def test_the_second_creator_creates_when_the_first_gives_up(
    sql: Session, new_session: NewSession
) -> None:
    first, second = new_session(), new_session()
    first("begin")
    first("select pgflow.create_flow('f', 7)")
    waiting = Waiting(sql, second, "select opt_max_attempts from pgflow.create_flow('f', 9)")
    first("rollback")
    waiting.finish()
    assert waiting.rows == [(9,)]


def test_the_second_adder_of_an_equal_step_gets_the_same_row(
    sql: Session, new_session: NewSession
) -> None:
    sql("select pgflow.create_flow('f')")
    first, second = new_session(), new_session()
    first("begin")
    [mine] = first("select * from pgflow.add_step('f', 'a', handler => 'x')")
    waiting = Waiting(sql, second, "select * from pgflow.add_step('f', 'a', handler => 'x')")
    first("commit")
    waiting.finish()
    assert waiting.rows == [mine]


def test_the_second_adder_of_another_step_of_that_name_is_told(
    sql: Session, new_session: NewSession
) -> None:
    sql("select pgflow.create_flow('f')")
    first, second = new_session(), new_session()
    first("begin")
    first("select pgflow.add_step('f', 'a', handler => 'x')")
    waiting = Waiting(sql, second, "select pgflow.add_step('f', 'a', handler => 'y')")
    first("commit")
    waiting.finish()
    assert "differs in: handler" in str(waiting.error)
    assert sql("select step_slug, handler from pgflow.steps") == [("a", "x")]


def test_an_adder_waits_for_the_step_that_it_depends_on(
    sql: Session, new_session: NewSession
) -> None:
    sql("select pgflow.create_flow('f')")
    first, second = new_session(), new_session()
    first("begin")
    first("select pgflow.add_step('f', 'a')")
    waiting = Waiting(sql, second, "select step_index from pgflow.add_step('f', 'b', '{a}')")
    first("commit")
    waiting.finish()
    assert waiting.rows == [(1,)]


def test_an_adder_to_a_flow_that_is_being_deleted_is_told(
    sql: Session, new_session: NewSession
) -> None:
    sql("select pgflow.create_flow('f')")
    first, second = new_session(), new_session()
    first("begin")
    first("select pgflow.delete_flow('f')")
    waiting = Waiting(sql, second, "select pgflow.add_step('f', 'a')")
    first("commit")
    waiting.finish()
    assert 'Flow "f" does not exist' in str(waiting.error)


def test_many_builders_of_one_flow_lose_no_step(database: Database, sql: Session) -> None:
    builder = FlowBuilder(database)

    def build(number: int) -> None:
        builder.create_flow("f")
        builder.add_step("f", "shared", handler="x")
        builder.add_step("f", f"own_{number}", ["shared"])

    assert together(6, build) == [None] * 6
    flow = builder.get_flow("f")
    assert {step.slug for step in flow.steps} == {"shared", *(f"own_{n}" for n in range(6))}
    assert sql.column("select step_index from pgflow.steps order by 1") == list(range(7))
    versions = sql.column("select version from pgflow.flow_versions order by version_id")
    assert versions == list(range(1, len(versions) + 1))


def test_of_many_different_definitions_one_wins_whole(database: Database) -> None:
    builder = FlowBuilder(database)
    flows = [
        Flow("f").step(f"a_{n}").step(f"b_{n}", depends_on=f"a_{n}", params={"n": n})
        for n in range(6)
    ]
    versions = together(6, lambda number: builder.define_flow(flows[number]))
    assert sorted(map(str, versions)) == ["1", "2", "3", "4", "5", "6"]
    assert builder.get_flow("f") == flows[versions.index(6)]


def test_definitions_of_many_flows_at_once_in_any_order_all_succeed_or_say_to_try_again(
    database: Database,
) -> None:
    builder = FlowBuilder(database)

    def define(number: int) -> int:
        slugs = ["x", "y", "z"] if number % 2 else ["z", "y", "x"]
        return len(builder.define_flows(Flow(slug).step(f"s{number}") for slug in slugs))

    for result in together(6, define):
        assert result == 3 or (isinstance(result, StoreRefused) and "Try again" in str(result))
    heads = {builder.get_flow(slug).steps[0].slug for slug in ("x", "y", "z")}
    assert len(heads) == 1


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_a_stale_snapshot_is_refused_and_loses_nothing(
    sql: Session, new_session: NewSession, isolation: str
) -> None:
    sql("select pgflow.create_flow('f')")
    stale = new_session()
    stale(f"begin isolation level {isolation}")
    stale("select * from pgflow.flows")
    sql("select pgflow.add_step('f', 'a')")
    with pytest.raises(psycopg2.Error):
        with_commit(stale, "select pgflow.add_step('f', 'b')")
    stale("rollback")
    assert sql.column("select step_slug from pgflow.steps") == ["a"]


def with_commit(session: Session, statement: str) -> None:
    session(statement)
    session("commit")

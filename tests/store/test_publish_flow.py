import threading
from collections.abc import Callable
from typing import Any

import psycopg2
import psycopg2.errors
import pytest

from tests.polling import poll
from tests.postgres import Session

NewSession = Callable[[], Session]


def versions(sql: Session, flow: str = "f") -> list[tuple[int, Any]]:
    return [
        (version, definition and [step["slug"] for step in definition.get("steps", [])])
        for version, definition in sql(
            "select version, definition from pgflow.flow_versions where flow_slug = %s"
            " order by version_id",
            flow,
        )
    ]


def test_each_statement_of_its_own_publishes_a_version(sql: Session) -> None:
    sql("select pgflow.create_flow('f')")
    sql("select pgflow.add_step('f', 'a')")
    sql("select pgflow.add_step('f', 'b', '{a}')")
    assert versions(sql) == [(1, []), (2, ["a"]), (3, ["a", "b"])]


def test_one_transaction_publishes_one_version_of_each_flow_it_touched(sql: Session) -> None:
    with sql.transaction():
        for flow in ("f", "g"):
            sql("select pgflow.create_flow(%s)", flow)
            sql("select pgflow.add_step(%s, 'a')", flow)
            sql("select pgflow.add_step(%s, 'b', '{a}')", flow)
        assert sql("select * from pgflow.flow_versions") == []
    assert versions(sql, "f") == [(1, ["a", "b"])]
    assert versions(sql, "g") == [(1, ["a", "b"])]
    assert sql("select * from pgflow.unpublished_flows") == []


def test_a_rolled_back_transaction_publishes_nothing(sql: Session) -> None:
    sql("begin")
    sql("select pgflow.create_flow('f')")
    sql("rollback")
    assert versions(sql) == []


@pytest.mark.parametrize(
    "nothing",
    [
        "select pgflow.create_flow('f')",
        "select pgflow.add_step('f', 'a')",
        "update pgflow.flows set description = description",
        "update pgflow.steps set initial_tasks = 5",
        "select pgflow.publish_flow('f')",
        "delete from pgflow.schedules",
    ],
)
def test_nothing_is_published_when_nothing_changed(sql: Session, nothing: str) -> None:
    sql("select pgflow.create_flow('f'), pgflow.add_step('f', 'a')")
    before = versions(sql)
    sql(nothing)
    assert versions(sql) == before


def test_what_is_undone_in_the_same_transaction_is_not_published(sql: Session) -> None:
    sql("select pgflow.create_flow('f')")
    with sql.transaction():
        sql("select pgflow.add_step('f', 'a')")
        sql("delete from pgflow.steps")
        sql("select pgflow.create_flow('g')")
        sql("delete from pgflow.flows where flow_slug = 'g'")
    assert versions(sql) == [(1, [])]
    assert versions(sql, "g") == []


@pytest.mark.parametrize(
    "change",
    [
        "update pgflow.flows set opt_timeout = 9",
        "update pgflow.steps set handler = 'x'",
        "insert into pgflow.schedules values ('f', 'nightly', '0 2 * * *')",
        "insert into pgflow.deps (flow_slug, dep_slug, step_slug) values ('f', 'a', 'b')",
        "delete from pgflow.steps where step_slug = 'b'",
    ],
)
def test_a_change_of_any_definition_table_is_published(sql: Session, change: str) -> None:
    sql("select pgflow.create_flow('f')")
    sql("select pgflow.add_step('f', 'a'), pgflow.add_step('f', 'b')")
    sql(change)
    assert [version for version, _ in versions(sql)] == [1, 2, 3]


def test_a_deleted_flow_has_a_version_that_says_so_and_can_come_back(sql: Session) -> None:
    sql("select pgflow.create_flow('f')")
    sql("delete from pgflow.flows")
    sql("select pgflow.create_flow('f')")
    assert versions(sql) == [(1, []), (2, None), (3, [])]


def test_the_newest_version_is_returned_changed_or_not(sql: Session) -> None:
    with sql.transaction():
        sql("select pgflow.create_flow('f')")
        assert sql.value("select version from pgflow.publish_flow('f')") == 1
        assert sql.value("select version from pgflow.publish_flow('f')") == 1
        sql("select pgflow.add_step('f', 'a')")
    assert versions(sql) == [(1, []), (2, ["a"])]
    assert sql("select version, flow_slug from pgflow.publish_flow('nope')") == [(None, None)]


@pytest.mark.parametrize(
    "change",
    [
        "update pgflow.flow_versions set version = 9",
        "delete from pgflow.flow_versions",
        "truncate pgflow.flow_versions",
    ],
)
def test_versions_are_never_changed(sql: Session, change: str) -> None:
    sql("select pgflow.create_flow('f')")
    with pytest.raises(psycopg2.Error, match="never changed or removed"):
        sql(change)


def test_equal_content_has_an_equal_hash(sql: Session) -> None:
    sql("select pgflow.create_flow('f')")
    sql("select pgflow.create_flow('f', 9)")
    sql("update pgflow.flows set opt_timeout = 9")
    sql("update pgflow.flows set opt_timeout = 60")
    hashes = sql.column("select content_hash from pgflow.flow_versions order by version_id")
    assert hashes[0] == hashes[2] != hashes[1]


def test_whoever_sees_a_version_sees_all_smaller_ones(new_session: NewSession) -> None:
    first, second, reader = new_session(), new_session(), new_session()
    first("begin")
    first("select pgflow.create_flow('f')")
    first("select pgflow.publish_flow('f')")  # its version_id is taken, but not visible yet

    second("set application_name to 'second'")
    with second.transaction():
        second("select pgflow.create_flow('g')")
        second("set constraints all deferred")
        waiting = _in_background(lambda: second("select pgflow.publish_flow('g')"))
        poll(
            lambda: (
                reader.value(
                    "select count(*) from pg_stat_activity"
                    " where application_name = 'second' and wait_event = 'advisory'"
                )
                == 1
            )
        )
        assert reader("select * from pgflow.flow_versions") == []
        first("commit")
        waiting.join()
    assert reader("select version_id, flow_slug from pgflow.flow_versions order by 1") == [
        (1, "f"),
        (2, "g"),
    ]


def _in_background(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread

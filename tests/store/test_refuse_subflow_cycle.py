from collections.abc import Callable

import psycopg2
import psycopg2.errors
import pytest

from tests.postgres import Session


def call(flow: str) -> str:
    return f"step_type => 'subflow', subflow_slug => '{flow}'"


@pytest.fixture
def flows(sql: Session) -> None:
    for flow in ("a", "b", "c"):
        sql("select pgflow.create_flow(%s)", flow)


def test_a_flow_cannot_contain_itself(sql: Session, flows: None) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation, match="contains itself: a -> a;"):
        sql(f"select pgflow.add_step('a', 's', {call('a')})")
    assert sql("select * from pgflow.steps") == []


def test_a_longer_cycle_is_refused_and_its_way_is_shown(sql: Session, flows: None) -> None:
    sql(f"select pgflow.add_step('a', 's', {call('b')})")
    sql(f"select pgflow.add_step('b', 's', {call('c')})")
    with pytest.raises(psycopg2.errors.CheckViolation, match="itself: c -> a -> b -> c;") as caught:
        sql(f"select pgflow.add_step('c', 's', {call('a')})")
    assert caught.value.diag.constraint_name == "no_flow_contains_itself"


def test_a_cycle_written_into_the_table_is_refused_at_commit(sql: Session, flows: None) -> None:
    sql(f"select pgflow.add_step('a', 's', {call('b')})")
    with pytest.raises(psycopg2.errors.CheckViolation, match="itself: b -> a -> b;"):
        sql(
            "insert into pgflow.steps (flow_slug, step_slug, step_type, subflow_slug)"
            " values ('b', 's', 'subflow', 'a')"
        )


def test_two_sessions_cannot_close_a_cycle_together(
    new_session: Callable[[], Session], sql: Session, flows: None
) -> None:
    first, second = new_session(), new_session()
    for session in (first, second):
        session("begin")
    first(f"select pgflow.add_step('a', 's', {call('b')})")
    second(f"select pgflow.add_step('b', 's', {call('a')})")
    first("commit")
    with pytest.raises(psycopg2.errors.CheckViolation, match="contains itself"):
        second("commit")
    assert sql.column("select flow_slug from pgflow.steps") == ["a"]


def test_a_subflow_shared_by_many_ways_is_no_cycle_and_checked_quickly(sql: Session) -> None:
    layers = 60
    with sql.transaction():
        for layer in range(layers):
            for side in ("left", "right"):
                sql("select pgflow.create_flow(%s)", f"{side}_{layer}")
                for inner in ("left", "right") if layer else ():
                    sql(
                        f"select pgflow.add_step('{side}_{layer}', '{inner}',"
                        f" {call(f'{inner}_{layer - 1}')})"
                    )
    assert sql.value("select count(*) from pgflow.flow_versions") == 2 * layers


def test_the_watermark_of_a_flow_is_the_newest_version_inside_it(sql: Session, flows: None) -> None:
    sql(f"select pgflow.add_step('a', 's', {call('b')})")
    sql(f"select pgflow.add_step('b', 's', {call('c')})")
    sql("update pgflow.flows set description = 'new' where flow_slug = 'c'")
    newest = sql.value("select max(version_id) from pgflow.flow_versions")
    assert sql.value("select pgflow.watermark_of('a')") == newest
    sql("select pgflow.create_flow('unrelated')")
    assert sql.value("select pgflow.watermark_of('a')") == newest
    assert sql.value("select pgflow.watermark_of('unrelated')") == newest + 1

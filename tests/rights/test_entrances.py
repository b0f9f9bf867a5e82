"""The functions that run with the rights of the owner: what they let in, and what they do not."""

from collections.abc import Callable, Iterator

import psycopg2
import pytest

from tests.postgres import Session, as_role

Enter = Callable[[str], Session]


@pytest.fixture
def enter(database_url: str) -> Iterator[Enter]:
    """Opens sessions of people who have one role each, and own nothing."""
    sessions: list[Session] = []

    def open_session(role: str) -> Session:
        sessions.append(Session(as_role(database_url, role)))
        return sessions[-1]

    yield open_session
    for session in sessions:
        session.close()


@pytest.fixture
def author(enter: Enter) -> Session:
    return enter("author")


@pytest.fixture
def starter(enter: Enter) -> Session:
    return enter("starter")


@pytest.mark.parametrize(
    "forged",
    [
        """insert into pgflow.runs (run_id, flow_slug, status, output)
        values (gen_random_uuid(), 'f', 'completed', '{"paid": true}')""",
        """insert into pgflow.runs (run_id, flow_slug, dagster_run_id)
        values (gen_random_uuid(), 'f', gen_random_uuid())""",
        """insert into pgflow.run_requests (run_id, flow_slug, version_id, input)
        values (gen_random_uuid(), 'f', 1, '"past the schema"')""",
        """insert into pgflow.run_requests (run_id, flow_slug, version_id, input)
        values (gen_random_uuid(), 'f', 9223372036854775807, '{}')""",
        "update pgflow.runs set output = '{}'",
        "update pgflow.flows set created_at = now()",
        "select from pgflow.flows for update",
    ],
)
def test_who_may_start_flows_cannot_forge_rows(
    author: Session, starter: Session, sql: Session, forged: str
) -> None:
    author("select pgflow.create_flow('f', input_schema => '{\"type\": \"object\"}')")
    starter("select pgflow.start_flow('f')")
    before = sql("select * from pgflow.runs"), sql("select * from pgflow.run_requests")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        starter(forged)
    assert before == (sql("select * from pgflow.runs"), sql("select * from pgflow.run_requests"))


def test_who_may_start_flows_gets_a_run_and_sees_it(author: Session, starter: Session) -> None:
    author("select pgflow.create_flow('f'); select pgflow.add_step('f', 'a')")
    run_id = starter.value("select run_id from pgflow.start_flow('f', '{\"n\": 1}')")
    assert starter("select input, status from pgflow.runs where run_id = %s", run_id) == [
        ({"n": 1}, "queued")
    ]


def test_an_input_against_the_schema_is_refused_to_a_starter(
    author: Session, starter: Session
) -> None:
    author("select pgflow.create_flow('f', input_schema => '{\"type\": \"object\"}')")
    with pytest.raises(psycopg2.errors.InvalidParameterValue, match="must be object"):
        starter("select pgflow.start_flow('f', '[]')")


def test_what_an_author_writes_into_the_tables_is_published_at_commit(author: Session) -> None:
    with author.transaction():
        author("insert into pgflow.flows (flow_slug) values ('f')")
        author("insert into pgflow.steps (flow_slug, step_slug) values ('f', 'a'), ('f', 'b')")
        author("insert into pgflow.deps (flow_slug, dep_slug, step_slug) values ('f', 'a', 'b')")
        author("insert into pgflow.workflows (workflow_slug) values ('g')")
    author("update pgflow.steps set handler = 'other' where step_slug = 'b'")
    assert author("select flow_slug, version from pgflow.flow_versions order by 1, 2") == [
        ("f", 1),
        ("f", 2),
        ("g", 1),
    ]


def test_every_entrance_of_an_author_works(author: Session) -> None:
    author("select pgflow.create_flow('f')")
    author("select pgflow.create_flow(p_workflow_slug => 'w')")
    author("select pgflow.add_step('f', 'a')")
    author("select pgflow.add_step(p_workflow_slug => 'w', p_step_slug => 'a')")
    author('select pgflow.replace_flow(\'{"slug": "g", "steps": [{"slug": "a"}]}\')')
    author("select pgflow.publish_flow('g')")
    author("select pgflow.create_trigger('t', 'run.failed', 'f', source_flow => 'g')")
    author("select pgflow.enable_trigger('t', false)")
    author(
        "insert into pgflow.triggers (name, on_event, target_flow) values ('u', 'run.failed', 'f')"
    )
    author("update pgflow.triggers set condition = 'true' where name = 'u'")
    author("select pgflow.delete_trigger('t')")
    author("delete from pgflow.triggers")
    author("select pgflow.delete_flow('w', force => true, with_runs => true)")
    assert author.column("select flow_slug from pgflow.flows order by 1") == ["f", "g"]


@pytest.mark.parametrize("type_name", ["text", "jsonb", "uuid", "record", "bigint", "name"])
def test_a_temporary_type_of_the_caller_is_not_used_by_the_owner(
    author: Session, starter: Session, type_name: str
) -> None:
    author("select pgflow.create_flow('f'); select pgflow.add_step('f', 'a')")
    for session in (starter, author):
        # In a function of the owner, the check of this type would run as the owner.
        session(
            "create function pg_temp.evil(v pg_catalog.text) returns boolean language plpgsql"
            " as $$ begin raise exception 'I am %', current_user; end $$"
        )
        underlying = {"bigint": "int8", "record": "text"}.get(type_name, type_name)
        session(
            f"create domain pg_temp.{type_name} as pg_catalog.{underlying}"
            " check (pg_temp.evil(value::pg_catalog.text))"
        )
    starter("select run_id from pgflow.start_flow('f', '{}'::pg_catalog.jsonb)")
    author("select pgflow.add_step('f', 'b', array['a']::pg_catalog.text[])")
    author("select pgflow.delete_flow('f', force => true, with_runs => true)")


@pytest.mark.parametrize("table", ["flows", "runs", "run_requests", "flow_versions"])
def test_a_temporary_table_of_the_caller_is_not_used_by_the_owner(
    author: Session, starter: Session, table: str
) -> None:
    author("select pgflow.create_flow('f'); select pgflow.add_step('f', 'a')")
    starter(f"create temporary table {table} (like pgflow.{table})")
    starter("set search_path to pg_temp, pgflow")
    starter("select start_flow('f')")
    assert starter(f"select * from pg_temp.{table}") == []

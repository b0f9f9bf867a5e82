import json
import threading
import uuid
from collections.abc import Callable
from typing import Any

import psycopg2
import psycopg2.errors
import pytest

from tests.polling import poll
from tests.postgres import Session

RUN_ID = "0b6ae7a2-5a1c-4a3f-9a44-3f1d8d3c1a01"


@pytest.fixture(autouse=True)
def flow(sql: Session) -> None:
    with sql.transaction():
        sql("select pgflow.create_flow('f')")
        sql("select pgflow.add_step('f', 'a')")


def test_its_parameters_have_the_published_names_and_defaults(sql: Session) -> None:
    arguments = sql.value("select pg_get_function_arguments('pgflow.start_flow'::regproc)")
    assert arguments == (
        "flow_slug text, input jsonb DEFAULT NULL::jsonb, run_id uuid DEFAULT NULL::uuid,"
        " priority integer DEFAULT 0"
    )


def test_it_returns_a_queued_run_of_the_newest_version(sql: Session) -> None:
    [run] = sql.records("select * from pgflow.start_flow('f', '{\"x\": [1, null]}')")
    assert str(uuid.UUID(run["run_id"])) == run["run_id"]
    wanted = {
        "flow_slug": "f",
        "flow_version": 1,
        "version_id": 1,
        "status": "queued",
        "input": {"x": [1, None]},
        "dagster_run_id": None,
        "output": None,
        "started_at": None,
    }
    assert {name: run[name] for name in wanted} == wanted
    assert sql("select run_id, flow_slug, version_id, input from pgflow.run_requests") == [
        (run["run_id"], "f", 1, {"x": [1, None]})
    ]


@pytest.mark.parametrize("value", [0, False, "", None, [], {}, "text", [1, 2], 1.5])
def test_any_json_value_is_an_input(sql: Session, value: Any) -> None:
    sql("select pgflow.start_flow('f', %s)", json.dumps(value))
    assert sql.value("select input from pgflow.runs") == value


def test_without_input_or_with_a_sql_null_it_is_an_empty_object(sql: Session) -> None:
    sql("select pgflow.start_flow('f')")
    sql("select pgflow.start_flow('f', null)")
    assert sql.column("select input from pgflow.runs") == [{}, {}]


def test_an_unknown_flow_is_refused_at_once_and_leaves_nothing(sql: Session) -> None:
    with pytest.raises(
        psycopg2.errors.UndefinedObject, match='Flow "nope" does not exist; create it'
    ):
        sql("select pgflow.start_flow('nope', '{}', %s)", RUN_ID)
    assert sql("select * from pgflow.runs") == []
    assert sql("select * from pgflow.run_requests") == []


def test_a_deleted_flow_is_refused(sql: Session) -> None:
    sql("select pgflow.delete_flow('f')")
    with pytest.raises(psycopg2.errors.UndefinedObject, match='Flow "f" does not exist'):
        sql("select pgflow.start_flow('f')")


def test_the_same_run_id_twice_starts_one_run(sql: Session) -> None:
    call = "select * from pgflow.start_flow('f', '{\"x\": 1}', %s)"
    [first] = sql(call, RUN_ID)
    assert sql(call, RUN_ID) == [first]
    assert sql.value("select count(*) from pgflow.runs") == 1
    assert sql.value("select count(*) from pgflow.run_requests") == 1


def test_the_same_run_id_still_returns_its_run_when_the_flow_is_gone(sql: Session) -> None:
    sql("select pgflow.start_flow('f', '{}', %s)", RUN_ID)
    sql("select pgflow.delete_flow('f', force => true)")
    [(status,)] = sql("select status from pgflow.start_flow('f', '{}', %s)", RUN_ID)
    assert status == "failed"


@pytest.mark.parametrize(
    ("other_flow", "other_input", "named"), [("f", '{"x": 2}', "input"), ("g", '{"x": 1}', "flow")]
)
def test_the_same_run_id_with_other_content_is_refused(
    sql: Session, other_flow: str, other_input: str, named: str
) -> None:
    sql("select pgflow.create_flow('g')")
    sql("select pgflow.start_flow('f', '{\"x\": 1}', %s)", RUN_ID)
    with pytest.raises(psycopg2.errors.UniqueViolation, match=f"exists with another {named}"):
        sql("select pgflow.start_flow(%s, %s, %s)", other_flow, other_input, RUN_ID)


def test_two_sessions_with_the_same_run_id_start_one_run(
    sql: Session, new_session: Callable[[], Session]
) -> None:
    first, second = new_session(), new_session()
    call = "select run_id from pgflow.start_flow('f', '{}', %s)"
    first("begin")
    first(call, RUN_ID)
    second("set application_name to 'second'")
    found: list[tuple[str]] = []
    thread = threading.Thread(target=lambda: found.extend(second(call, RUN_ID)))
    thread.start()
    poll(
        lambda: sql.value(
            "select count(*) from pg_stat_activity"
            " where application_name = 'second' and wait_event_type = 'Lock'"
        )
    )
    first("commit")
    thread.join()
    assert found == [(RUN_ID,)]
    assert sql.value("select count(*) from pgflow.runs") == 1


def test_a_flow_is_created_and_started_in_one_transaction(sql: Session) -> None:
    with sql.transaction():
        sql("select pgflow.create_flow('new')")
        sql("select pgflow.add_step('new', 'a')")
        sql("select pgflow.start_flow('new')")
        sql("select pgflow.add_step('new', 'b')")
        sql("select pgflow.start_flow('new')")
    started = sql("select flow_version, version_id from pgflow.runs order by id")
    assert started == [(1, 2), (2, 3)]
    assert sql.value("select count(*) from pgflow.flow_versions where flow_slug = 'new'") == 2


def test_a_request_waits_for_the_newest_version_of_what_the_flow_contains(sql: Session) -> None:
    sql("select pgflow.create_flow('child')")
    sql("select pgflow.add_step('f', 'c', step_type => 'subflow', subflow_slug => 'child')")
    sql("select pgflow.add_step('child', 'a')")
    newest = sql.value("select max(version_id) from pgflow.flow_versions")
    sql("select pgflow.start_flow('f')")
    assert sql.value("select version_id from pgflow.run_requests") == newest
    # Which is one of the flow itself: it runs another version of the child than before.
    assert sql("select version_id, flow_version from pgflow.runs") == [(newest, 3)]


def test_an_edit_does_not_move_a_request_to_another_version(sql: Session) -> None:
    sql("select pgflow.start_flow('f')")
    sql("select pgflow.add_step('f', 'b')")
    assert sql("select flow_version, version_id from pgflow.runs") == [(1, 1)]


def test_it_notifies_with_the_run_id(sql: Session, new_session: Callable[[], Session]) -> None:
    listener = new_session()
    listener("listen pgflow_runs")
    sql("select pgflow.start_flow('f', '{}', %s)", RUN_ID)

    def notified() -> list[str]:
        listener("select 1")
        return [notice.payload for notice in listener.connection.notifies]

    assert poll(notified) == [RUN_ID]


def test_an_input_that_breaks_the_schema_is_refused_at_once(sql: Session) -> None:
    sql("""update pgflow.flows set input_schema = '{"type": "object", "required": ["id"]}'""")
    reason = 'Flow "f" cannot start with this input: input lacks the key "id"'
    with pytest.raises(psycopg2.DataError, match=reason):
        sql("select pgflow.start_flow('f')")
    assert sql("select * from pgflow.run_requests") == []
    sql("select pgflow.start_flow('f', '{\"id\": 1}')")


def set_default(sql: Session, value: int) -> None:
    schema = {"properties": {"n": {"type": "integer", "maximum": 9, "default": value}}}
    sql("update pgflow.flows set input_schema = %s where flow_slug = 'f'", json.dumps(schema))


def test_the_input_is_laid_over_the_defaults_of_the_schema_before_it_is_judged(
    sql: Session,
) -> None:
    schema = {"required": ["n"], "properties": {"n": {"type": "integer", "default": 3}}}
    sql("update pgflow.flows set input_schema = %s", json.dumps(schema))
    sql("select pgflow.start_flow('f')")
    sql("select pgflow.start_flow('f', '{\"m\": 1}')")
    assert sql.column("select input from pgflow.runs order by id") == [{"n": 3}, {"m": 1, "n": 3}]
    with pytest.raises(psycopg2.errors.InvalidParameterValue, match="must be integer"):
        sql("select pgflow.start_flow('f', '{\"n\": null}')")


def nested(levels: int, inner: Any) -> Any:
    """The object `inner` in a field `a`, so many levels deep."""
    for _ in range(levels):
        inner = {"a": inner}
    return inner


def test_an_input_that_is_too_deep_with_its_defaults_is_refused(sql: Session) -> None:
    schema = {"properties": {"a": {"$ref": "#"}, "d": {"default": nested(60, {})}}}
    sql("update pgflow.flows set input_schema = %s", json.dumps(schema))
    sql("select pgflow.start_flow('f', %s)", json.dumps(nested(20, {})))
    with pytest.raises(psycopg2.errors.InvalidParameterValue, match="with its defaults, is refuse"):
        sql("select pgflow.start_flow('f', %s)", json.dumps(nested(50, {})))


@pytest.mark.parametrize("asked", [None, "{}", '{"n": 1}'])
def test_the_same_run_id_starts_nothing_new_although_a_default_has_changed(
    sql: Session, asked: str | None
) -> None:
    set_default(sql, 1)
    sql("select pgflow.start_flow('f', %s, %s)", asked, RUN_ID)
    set_default(sql, 2)
    sql("select pgflow.start_flow('f', %s, %s)", asked, RUN_ID)
    sql("select pgflow.start_flow('f', '{\"n\": 1}', %s)", RUN_ID)
    assert sql.column("select input from pgflow.runs") == [{"n": 1}]
    with pytest.raises(psycopg2.errors.UniqueViolation, match="already exists with another input"):
        sql("select pgflow.start_flow('f', '{\"n\": 2}', %s)", RUN_ID)

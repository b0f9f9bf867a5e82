"""Ends of runs are noted for webhooks in their transaction, and taken by one sender at a time."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg2
import pytest

from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.webhook import EVENTS
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.deliveries import Deliveries
from dagster_pgflow.store.flows import FlowBuilder
from tests.postgres import Session, as_role

HOOK = {"url": "https://example.org/hook", "secret": "mine"}
END = "update pgflow.runs set status = %s, updated_at = clock_timestamp() where run_id = %s"


@pytest.fixture
def deliveries(database: Database) -> Deliveries:
    return Deliveries(database)


def started(sql: Session, **hook: Any) -> str:
    """Defines the flow with a webhook, starts it, and returns the run."""
    sql("select pgflow.create_flow('f', on_event => %s)", json.dumps(HOOK | hook))
    sql("select pgflow.add_step('f', 's', handler => 'h')")
    return start(sql)


def start(sql: Session) -> str:
    run_id: str = sql.value("select run_id::text from pgflow.start_flow('f', '{}') as run")
    return run_id


def told(sql: Session) -> list[str]:
    return sql.column("select event from pgflow.webhook_deliveries order by created_at, event")


def test_the_webhook_is_the_same_in_sql_and_in_python(sql: Session, builder: FlowBuilder) -> None:
    builder.define_flow(Flow("a", on_event=HOOK).step("s", handler="h"))
    sql("select pgflow.create_flow('b', on_event => %s)", json.dumps(HOOK))
    sql("select pgflow.add_step('b', 's', handler => 'h')")
    [a, b] = [builder.get_flow(slug) for slug in ("a", "b")]
    assert a.options.on_event == b.options.on_event
    assert a.to_json()["options"] == {"on_event": HOOK}
    assert a.options.on_event is not None
    assert a.options.on_event.events == EVENTS
    assert builder.create_flow("c", on_event=a.options.on_event).options == a.options


@pytest.mark.parametrize(
    "hook",
    [
        {"url": "ftp://example.org"},
        {"url": "https://me:word@example.org/"},
        {"url": "https://example.org/a b"},
        {"url": "https://example.org/" + "x" * 2000},
        {"url": "http://"},
        {"url": "https://example.org/\n"},
        {"secret": ""},
        {"secret": "A" * 129},
        {"secret": "not-one"},
        {"secret": "mine\n"},
        {"events": []},
    ],
)
def test_a_webhook_that_cannot_be_told_is_refused_in_sql_and_in_python(
    sql: Session, builder: FlowBuilder, hook: dict[str, Any]
) -> None:
    with pytest.raises(psycopg2.Error) as refused:
        sql("select pgflow.create_flow('f', on_event => %s)", json.dumps(HOOK | hook))
    assert refused.value.diag.constraint_name == "on_event_is_a_webhook"
    with pytest.raises(InvalidFlow) as invalid:
        builder.define_flow(Flow("f", on_event=HOOK | hook).step("s", handler="h"))
    assert [problem.code for problem in invalid.value.problems] == ["invalid-webhook"]


@pytest.mark.parametrize(
    "hook",
    [
        "[]",
        '"https://example.org"',
        "{}",
        '{"url": "https://example.org"}',
        '{"url": "https://example.org", "secret": "a", "event": []}',
        '{"url": "https://example.org", "secret": "a", "events": ["run.started"]}',
        '{"url": "https://example.org", "secret": "a", "events": null}',
        '{"url": "https://example.org", "secret": "a", "events": "run.failed"}',
        '{"url": "https://example.org", "secret": "a", "allow_private": "yes"}',
        '{"url": "https://example.org", "secret": "a", "allow_private": null}',
        '{"url": ["https://example.org"], "secret": "a"}',
    ],
)
def test_what_is_no_webhook_at_all_is_refused(sql: Session, hook: str) -> None:
    with pytest.raises(psycopg2.Error, match="on_event_is_a_webhook"):
        sql("select pgflow.create_flow('f', on_event => %s)", hook)


def test_an_end_is_noted_in_its_transaction_and_once(sql: Session) -> None:
    run_id = started(sql)
    sql(END, "started", run_id)
    assert told(sql) == []
    sql(END, "completed", run_id)
    [row] = sql.records("select * from pgflow.webhook_deliveries")
    body = json.loads(row["body"])
    assert body["delivery"] == str(row["delivery_id"])
    assert {name: body[name] for name in ("event", "run", "flow", "version", "status")} == {
        "event": "run.completed",
        "run": run_id,
        "flow": "f",
        "version": body["version"],
        "status": "completed",
    }
    assert (row["url"], row["secret_name"], row["status"]) == (*HOOK.values(), "pending")
    # A rebuild of rows that were lost goes the same way again.
    sql(END, "started", run_id)
    sql(END, "completed", run_id)
    sql(END, "completed", run_id)
    assert told(sql) == ["run.completed"]


def test_a_run_that_waits_twice_is_told_twice(sql: Session) -> None:
    run_id = started(sql)
    for status in ("started", "waiting", "started", "waiting", "cancelled"):
        sql(END, status, run_id)
    assert told(sql) == ["run.waiting", "run.waiting", "run.cancelled"]


def test_only_the_events_that_are_named_are_told(sql: Session) -> None:
    run_id = started(sql, events=["run.failed"])
    sql(END, "completed", run_id)
    assert told(sql) == []
    sql(END, "failed", run_id)
    assert told(sql) == ["run.failed"]


def test_what_ended_long_ago_is_told_to_nobody(sql: Session) -> None:
    run_id = started(sql)
    sql(
        "update pgflow.runs set status = 'failed', updated_at = now() - interval '25 hours'"
        " where run_id = %s",
        run_id,
    )
    assert told(sql) == []


def test_it_goes_where_the_version_of_the_run_said(sql: Session) -> None:
    first = started(sql)
    sql(
        "update pgflow.flows set opt_on_event = %s",
        json.dumps(HOOK | {"url": "https://elsewhere.example"}),
    )
    second = start(sql)
    sql("update pgflow.flows set opt_on_event = null")
    third = start(sql)
    for run_id in (first, second, third):
        sql(END, "completed", run_id)
    told_to = dict(sql("select run_id::text, url from pgflow.webhook_deliveries"))
    assert told_to == {first: HOOK["url"], second: "https://elsewhere.example"}
    sql("select pgflow.delete_flow('f', with_runs => true)")
    assert len(told(sql)) == 2


def test_what_was_told_goes_with_its_run_and_what_was_not_stays(
    sql: Session, deliveries: Deliveries
) -> None:
    for run_id in (started(sql), start(sql)):
        sql(END, "completed", run_id)
    [one] = deliveries.claim(1)
    deliveries.note(one, 200, None)
    sql("select pgflow.delete_flow('f', with_runs => true)")
    assert sql.column("select status from pgflow.webhook_deliveries") == ["pending"]


def test_a_broken_definition_of_old_costs_no_run_its_end(sql: Session) -> None:
    run_id = started(sql)
    for hook in ("5", "[]", '{"url": 5}', '{"url": "", "events": 5}'):
        # Versions never change; this one is as if it came from elsewhere.
        sql("set session_replication_role to replica")
        sql(
            "update pgflow.flow_versions"
            " set definition = jsonb_set(definition, '{options,on_event}', %s)",
            hook,
        )
        sql("reset session_replication_role")
        sql(END, "failed", run_id)
        sql(END, "started", run_id)
    assert told(sql) == []


def test_two_senders_never_have_the_same_one(
    sql: Session, deliveries: Deliveries, new_session: Callable[[], Session]
) -> None:
    run_ids = [started(sql), *(start(sql) for _ in range(5))]
    for run_id in run_ids:
        sql(END, "completed", run_id)
    claim = "select delivery_id::text from pgflow.claim_deliveries(4)"
    other = new_session()
    with other.transaction():
        theirs = other.column(claim)
        ours = [str(one.delivery_id) for one in deliveries.claim(8)]
    assert (len(theirs), len(ours)) == (4, 2)
    assert not {*theirs} & {*ours}
    assert deliveries.claim(8) == ()
    # Those that took them died: a minute later they are there again.
    sql("update pgflow.webhook_deliveries set due_at = due_at - interval '1 minute'")
    assert {one.attempts for one in deliveries.claim(8)} == {2}


def test_whoever_is_late_and_failed_changes_nothing_but_a_success_counts(
    sql: Session, deliveries: Deliveries
) -> None:
    sql(END, "completed", started(sql))
    [late] = deliveries.claim(8)
    sql("update pgflow.webhook_deliveries set due_at = now()")
    [again] = deliveries.claim(8)
    deliveries.note(late, 500, "It answered 500.")
    assert sql.value("select answer from pgflow.webhook_deliveries") is None
    deliveries.note(late, 200, None)
    deliveries.note(again, 500, "It answered 500.")
    assert sql("select status, answer, error_message from pgflow.webhook_deliveries") == [
        ("delivered", 200, None)
    ]


def test_waits_between_attempts_grow_and_end(sql: Session, deliveries: Deliveries) -> None:
    sql(END, "completed", started(sql))
    waits = []
    while True:
        [one] = deliveries.claim(8)
        deliveries.note(one, 500, "It\x00answered 500.")
        [[status, seconds]] = sql(
            "select status, extract(epoch from due_at - clock_timestamp())::float"
            " from pgflow.webhook_deliveries"
        )
        if status != "pending":
            break
        waits.append(seconds)
        sql("update pgflow.webhook_deliveries set due_at = now()")
    assert (status, len(waits)) == ("given_up", 14)
    assert waits[0] < 7 < waits[3] < waits[-1] <= 3600 * 1.25
    assert sql.value("select error_message from pgflow.webhook_deliveries").endswith("ed 500.")


def test_it_is_given_up_after_a_day(sql: Session, deliveries: Deliveries) -> None:
    sql(END, "completed", started(sql))
    sql("update pgflow.webhook_deliveries set created_at = now() - interval '1 day'")
    [one] = deliveries.claim(8)
    deliveries.note(one, None, "Nobody is there.")
    assert sql.value("select status from pgflow.webhook_deliveries") == "given_up"
    [trouble] = deliveries.troubles()
    assert (trouble.flow_slug, trouble.waiting, trouble.given_up) == ("f", 0, 1)


def test_where_nobody_answers_one_attempt_speaks_for_all_of_the_flow(
    sql: Session, deliveries: Deliveries
) -> None:
    for run_id in (started(sql), *(start(sql) for _ in range(4))):
        sql(END, "completed", run_id)
    [one] = deliveries.claim(1)
    deliveries.note(one, None, "Nobody is there.")
    assert deliveries.claim(8) == ()
    assert {*sql.column("select attempts from pgflow.webhook_deliveries")} == {0, 1}


def test_flows_take_turns(sql: Session, deliveries: Deliveries) -> None:
    for run_id in (started(sql), *(start(sql) for _ in range(9))):
        sql(END, "completed", run_id)
    sql(
        "insert into pgflow.webhook_deliveries"
        " (run_id, flow_slug, event, happened_at, url, secret_name, body)"
        " values (%s, 'g', 'run.failed', now(), 'https://g.example', 's', '{}')",
        str(uuid4()),
    )
    assert "g" in {one.flow_slug for one in deliveries.claim(2)}


def test_a_thousand_ends_at_once_are_a_thousand_deliveries(
    sql: Session, deliveries: Deliveries
) -> None:
    started(sql)
    sql("select pgflow.start_flow('f', '{}') from generate_series(2, 1000)")
    sql("update pgflow.runs set status = 'completed', updated_at = clock_timestamp()")
    assert len(told(sql)) == 1000
    taken = 0
    while claimed := deliveries.claim(200):
        taken += len(claimed)
    assert taken == 1000


def test_a_worker_may_send_and_no_other_role(sql: Session, database_url: str) -> None:
    sql(END, "completed", started(sql))
    for role, allowed in (("worker", True), ("author", False), ("starter", False)):
        session = Session(as_role(database_url, role))
        try:
            if allowed:
                assert len(session("select * from pgflow.claim_deliveries(1)")) == 1
            else:
                with pytest.raises(psycopg2.Error, match="permission denied"):
                    session("select * from pgflow.claim_deliveries(1)")
        finally:
            session.close()

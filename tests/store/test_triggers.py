"""Triggers in the store: what is queued, what is started, and what is told."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.requests import Requests
from dagster_pgflow.store.trigger_queue import TriggerQueue
from dagster_pgflow.store.triggers import Triggers
from tests.polling import poll
from tests.postgres import Session
from tests.store.triggering import ended, outcomes, queue, started, triggers

__all__ = ["queue", "triggers"]


def test_the_end_of_a_run_starts_a_flow_with_the_whole_event(
    triggers: Triggers, queue: TriggerQueue, sql: Session
) -> None:
    triggers.create("t", "run.completed", "b", source_flow="a")
    run_id = ended(sql, "a", output={"s": 7})
    assert started(sql, "b") == []
    assert queue.look() == 1
    [event] = started(sql, "b")
    assert event.pop("ended_at").endswith("Z")
    assert event == {
        "type": "run.completed",
        "run_id": run_id,
        "flow": "a",
        "status": "completed",
        "input": {"n": 1},
        "output": {"s": 7},
        "error": None,
        "started_at": None,
    }
    assert outcomes(sql) == [("t", "fired", None)]
    assert sql.column("select triggered_by from pgflow.run_requests order by 1") == ["t", None]
    assert queue.look() == 0


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_trigger_looks_at_one_kind_of_end(
    triggers: Triggers, queue: TriggerQueue, sql: Session, status: str
) -> None:
    for kind in ("completed", "failed", "cancelled"):
        triggers.create(f"t_{kind}", f"run.{kind}", "b", source_flow="a", input="$event.status")  # type: ignore[arg-type]
    ended(sql, "a", status, error="it broke")
    queue.look()
    assert outcomes(sql) == [(f"t_{status}", "fired", None)]
    assert started(sql, "b") == [status]


def test_condition_and_input_are_made_of_the_event(
    triggers: Triggers, queue: TriggerQueue, sql: Session
) -> None:
    triggers.create(
        "t",
        "run.completed",
        "b",
        source_flow="a",
        condition="event.output.s > 10 && event.input.n == 1",
        input={
            "sum": "$event.output.s",
            "text": "run ${$event.flow}",
            "plain": "$$event",
            "n": [1],
        },
    )
    ended(sql, "a", output={"s": 10})
    ended(sql, "a", output={"s": 11})
    queue.look()
    assert outcomes(sql) == [("t", "not_met", None), ("t", "fired", None)]
    assert started(sql, "b") == [{"sum": 11, "text": "run a", "plain": "$event", "n": [1]}]


def test_an_event_starts_one_run_however_often_it_is_told_and_looked_at(
    triggers: Triggers, queue: TriggerQueue, sql: Session
) -> None:
    triggers.create("t", "run.completed", "b", source_flow="a")
    run_id = ended(sql, "a")
    queue.look()
    # As a rebuild of the tables does it.
    sql("update pgflow.runs set status = 'started' where run_id = %s", run_id)
    ended(sql, "a", run_id=UUID(run_id))
    queue.look()
    # As if all was forgotten but the request.
    sql("delete from pgflow.trigger_events")
    ended(sql, "a", run_id=UUID(run_id), output=None)
    sql("update pgflow.runs set status = 'started' where run_id = %s", run_id)
    sql(
        "update pgflow.runs set status = 'completed' where run_id = %s",
        run_id,
    )
    queue.look()
    assert len(started(sql, "b")) == 1


def test_what_happened_before_or_while_it_was_off_starts_nothing(
    triggers: Triggers, queue: TriggerQueue, sql: Session
) -> None:
    before = ended(sql, "a")
    triggers.create("t", "run.completed", "b", source_flow="a")
    triggers.enable("t", enabled=False)
    off = ended(sql, "a")
    triggers.enable("t")
    for run_id in (before, off):
        # The projection sees the end late, or again.
        sql("update pgflow.runs set status = 'started' where run_id = %s", run_id)
        sql("update pgflow.runs set status = 'completed' where run_id = %s", run_id)
    queue.look()
    assert outcomes(sql) == []
    ended(sql, "a")
    queue.look()
    assert outcomes(sql) == [("t", "fired", None)]


def test_without_a_source_each_other_flow_of_the_tenant_is_meant(
    triggers: Triggers, builder: FlowBuilder, queue: TriggerQueue, sql: Session
) -> None:
    builder.define_flow(Flow("foreign", tags={"tenant": "t"}).step("s"))
    triggers.create("t", "run.failed", "c", input="$event.flow")
    for slug in ("a", "b", "c", "foreign"):
        ended(sql, slug, "failed")
    queue.look()
    assert started(sql, "c")[1:] == ["a", "b"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"condition": "event.output.missing > 1"}, 'there is no key "missing"'),
        ({"condition": "event.output"}, "not true or false"),
        ({"condition": "event.("}, "does not belong here"),
        ({"condition": "output.x == 1"}, "use one of: event"),
        ({"input": '{"x": "$event.output.missing"}'}, "$event.output.missing leads nowhere"),
        ({"input": '"$input.x"'}, "is not a reference; write $event"),
        ({"input": '{"n": "$event.output.s"}', "target_flow": "strict"}, "input.n"),
    ],
)
def test_what_is_broken_is_told_and_stops_no_other_trigger(
    triggers: Triggers, queue: TriggerQueue, sql: Session, fields: dict[str, str], reason: str
) -> None:
    row = {"name": "broken", "on_event": "run.completed", "target_flow": "b", "source_flow": "a"}
    row |= fields
    names = ", ".join(row)
    sql(f"insert into pgflow.triggers ({names}) values %s", tuple(row.values()))
    triggers.create("whole", "run.completed", "b", source_flow="a")
    ended(sql, "a", output={"s": 7})
    queue.look()
    [(name, outcome, told), other] = outcomes(sql)
    assert (name, outcome) == ("broken", "failed")
    assert reason in str(told)
    assert other == ("whole", "fired", None)


def test_a_chain_ends_after_a_hundred_runs_and_says_so(
    triggers: Triggers, queue: TriggerQueue, sql: Session
) -> None:
    triggers.create(
        "t", "run.completed", "a", source_flow="a", condition="true", input="$event.flow"
    )
    run_id = ended(sql, "a")
    for depth in range(1, 101):
        queue.look()
        [run_id] = sql.column("select run_id::text from pgflow.runs where status = 'queued'")
        assert depth == sql.value(
            "select trigger_depth from pgflow.run_requests where run_id = %s", run_id
        )
        ended(sql, "a", run_id=UUID(run_id))
    queue.look()
    assert sql("select from pgflow.runs where status = 'queued'") == []
    [told] = [(outcome, reason) for _, outcome, reason in outcomes(sql) if outcome != "fired"]
    assert told[0] == "refused"
    assert "run 101 of a chain" in str(told[1])


def test_a_trigger_that_is_deleted_or_off_drops_what_it_has_not_looked_at(
    triggers: Triggers, queue: TriggerQueue, sql: Session
) -> None:
    triggers.create("gone", "run.completed", "b", source_flow="a")
    triggers.create("off", "run.completed", "b", source_flow="a")
    ended(sql, "a")
    triggers.delete("gone")
    triggers.enable("off", enabled=False)
    queue.look()
    assert [(name, outcome) for name, outcome, _ in outcomes(sql)] == [
        ("gone", "dropped"),
        ("off", "dropped"),
    ]
    # Another one of its name is another trigger.
    triggers.create("gone", "run.completed", "b", source_flow="a")
    assert queue.look() == 0
    assert started(sql, "b") == []


def test_the_end_of_a_run_whose_rows_were_deleted_meanwhile_is_told(
    triggers: Triggers, queue: TriggerQueue, sql: Session
) -> None:
    triggers.create("t", "run.completed", "b", source_flow="a", condition="event.flow == 'a'")
    run_id = ended(sql, "a")
    sql("delete from pgflow.runs where run_id = %s", run_id)
    queue.look()
    [(_, outcome, reason)] = outcomes(sql)
    assert outcome == "failed"
    assert "was deleted" in str(reason)


def test_a_thousand_triggers_on_one_event_are_looked_at_in_turns_and_none_is_lost(
    triggers: Triggers, queue: TriggerQueue, sql: Session, requests: Requests
) -> None:
    sql(
        "insert into pgflow.triggers (name, on_event, source_flow, target_flow, input)"
        " select 't' || n, 'run.completed', 'a', 'b', to_jsonb(n)"
        " from generate_series(1, 1000) as n"
    )
    ended(sql, "a")
    turns = []
    while looked_at := queue.look(most=250, most_s=60):
        turns.append(looked_at)
    assert turns == [250] * 4
    assert sorted(started(sql, "b")) == list(range(1, 1001))
    assert len(requests.pending(2000)) == 1000


def test_a_run_ends_also_when_nothing_can_be_queued(triggers: Triggers, sql: Session) -> None:
    triggers.create("t", "run.completed", "b", source_flow="a")
    sql("alter table pgflow.trigger_events add constraint no_room check (false) not valid")
    run_id = ended(sql, "a")
    assert sql.value("select status from pgflow.runs where run_id = %s", run_id) == "completed"
    assert outcomes(sql) == []


def test_no_end_of_a_run_waits_for_who_deletes_a_trigger(
    triggers: Triggers, queue: TriggerQueue, sql: Session, new_session: Any
) -> None:
    triggers.create("t", "run.completed", "b", source_flow="a")
    other = new_session()
    with other.transaction():
        other("select pgflow.delete_trigger('t')")
        sql("set lock_timeout to '1s'")
        ended(sql, "a")
    queue.look()
    assert [outcome for _, outcome, _ in outcomes(sql)] == ["dropped"]


def test_signals_start_flows_once_for_each(
    triggers: Triggers, queue: TriggerQueue, sql: Session
) -> None:
    triggers.create("t", "signal", "b", signal_name="paid", condition="event.payload.sum > 1")
    for name, total in (("paid", 2), ("paid", 1), ("x", 9)):
        sql("select pgflow.signal(%s, 'k', %s::jsonb)", name, json.dumps({"sum": total}))
    queue.look()
    assert started(sql, "b") == [
        {"type": "signal", "name": "paid", "key": "k", "payload": {"sum": 2}}
    ]
    assert [outcome for _, outcome, _ in outcomes(sql)] == ["fired", "not_met"]


HOSTILE = [
    {"__class__": "x", "__enum__": "y", "$event.flow": "${$event.flow}"},
    "$event.output ${secret:KEY}",
    [0, False, "", None, 1e300, -0.0, 10**400],
    {"dagster-pgflow/skipped": True, "\u2028": "\ufffd"},
]


@pytest.mark.parametrize("output", HOSTILE)
def test_an_event_is_data_whatever_it_holds(
    triggers: Triggers, queue: TriggerQueue, sql: Session, output: Any
) -> None:
    triggers.create("part", "run.completed", "b", source_flow="a", input="$event.output")
    triggers.create("whole", "run.completed", "c", source_flow="a", condition="true")
    ended(sql, "a", output=output)
    queue.look()
    [kept] = sql.column("select output from pgflow.runs where flow_slug = 'a'")
    assert started(sql, "b") == [kept]
    [event] = started(sql, "c")
    assert event["output"] == kept


def test_ten_megabytes_of_output_are_queued_as_a_reference(
    triggers: Triggers, queue: TriggerQueue, sql: Session
) -> None:
    triggers.create(
        "t",
        "run.completed",
        "b",
        source_flow="a",
        condition="event.output.text.size() > 10 && event.output.n == 2",
        input={"n": "$event.output.n"},
    )
    ended(sql, "a", output={"text": "x" * 10_000_000, "n": 2})
    assert (
        sql.value("select coalesce(max(pg_column_size(e.*)), 0) from pgflow.trigger_events e") < 300
    )
    queue.look()
    assert started(sql, "b") == [{"n": 2}]


def test_who_dies_between_the_look_and_the_commit_has_started_nothing(
    triggers: Triggers, queue: TriggerQueue, sql: Session, database_url: str
) -> None:
    triggers.create("t", "run.completed", "b", source_flow="a", input="$event.input")
    ended(sql, "a")
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.store.looking", database_url],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == "started\n"
    # It has the event, so nobody else looks at it meanwhile.
    assert queue.look() == 0
    worker.kill()
    worker.wait()
    worker.stdout.close()
    assert started(sql, "b") == []
    assert poll(lambda: queue.look() == 1)
    assert started(sql, "b") == [{"n": 1}]


def test_those_who_look_at_once_share_the_events(
    triggers: Triggers, sql: Session, database_url: str
) -> None:
    sql(
        "insert into pgflow.triggers (name, on_event, source_flow, target_flow, input, condition)"
        " select 't' || n, 'run.completed', 'a', 'b', to_jsonb(n), 'event.flow == \"a\"'"
        " from generate_series(1, 100) as n"
    )
    for _ in range(3):
        ended(sql, "a")

    def look(_number: int) -> int:
        database = Database(database_url)
        try:
            done = 0
            while sql_is_pending(database):
                done += TriggerQueue(database).look(most_s=60)
            return done
        finally:
            database.close()

    with ThreadPoolExecutor(4) as pool:
        shares = list(pool.map(look, range(4)))
    assert sum(shares) == 300
    assert sorted(started(sql, "b")) == sorted([*range(1, 101)] * 3)
    assert {outcome for _, outcome, _ in outcomes(sql)} == {"fired"}


def sql_is_pending(database: Database) -> bool:
    pending: bool = database.fetch_value("is_trigger_pending")
    return pending

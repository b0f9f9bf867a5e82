"""A step that waits is an event for triggers, and so is each reminder of it, once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dagster_pgflow.store.database import Database
from dagster_pgflow.store.trigger_queue import TriggerQueue
from dagster_pgflow.store.triggers import Triggers
from tests.postgres import Session
from tests.store.steps_that_wait import answer, signal, wait, waiting_run
from tests.store.triggering import outcomes, queue, started, triggers

__all__ = ["queue", "triggers"]

REMINDERS = [10, 20, 1_000_000]


def passes(sql: Session, seconds: int) -> None:
    """Puts the beginning of all waits into the past, as time does."""
    sql(
        "update pgflow.waits set opened_at = opened_at - make_interval(secs => %s),"
        " reminder_at = reminder_at - make_interval(secs => %s)",
        seconds,
        seconds,
    )


def old(sql: Session) -> None:
    """Has all triggers look at what happened since yesterday."""
    sql("set session_replication_role = replica")
    sql("update pgflow.triggers set active_since = now() - interval '1 day'")
    sql("reset session_replication_role")


def test_a_question_starts_a_flow_that_says_whom_to_ask(
    triggers: Triggers, queue: TriggerQueue, sql: Session
) -> None:
    made = triggers.create("t", "step.waiting", "b", source_flow="a")
    assert made.trigger.source == "a step of a waits"
    run_id = waiting_run(sql, flow="a")
    wait(sql, run_id, "order[3].ask", prompt="Pay 5 €?", answerers=["ann"], seconds=60)
    queue.look()
    [event] = started(sql, "b")
    assert event.pop("waiting_since") < event.pop("due_at")
    assert event == {
        "type": "step.waiting",
        "run_id": run_id,
        "flow": "a",
        "step": "order[3].ask",
        "kind": "approval",
        "prompt": "Pay 5 €?",
        "answer_schema": None,
        "answerers": ["ann"],
        "signal": None,
        "key": None,
    }


def test_asking_how_a_wait_stands_is_no_further_event(
    triggers: Triggers, queue: TriggerQueue, sql: Session
) -> None:
    triggers.create("t", "step.waiting", "b")
    run_id = waiting_run(sql, flow="a")
    for _ in range(3):
        wait(sql, run_id)
    answer(sql, run_id)
    wait(sql, run_id)
    queue.look()
    assert outcomes(sql) == [("t", "fired", None)]


def test_what_does_not_have_to_wait_and_what_only_sleeps_are_no_events(
    triggers: Triggers, queue: TriggerQueue, sql: Session
) -> None:
    triggers.create("t", "step.waiting", "b")
    run_id = waiting_run(sql, flow="a")
    signal(sql, "paid", "k", payload=1)
    wait(sql, run_id, "w", "wait", signal="paid", key="k")
    wait(sql, run_id, "nap", "sleep", seconds=100)
    wait(sql, run_id, "late", seconds=-1)
    queue.look()
    assert outcomes(sql) == []


def test_each_reminder_is_an_event_when_its_time_has_come(
    triggers: Triggers, queue: TriggerQueue, sql: Session
) -> None:
    made = triggers.create("t", "step.reminder", "b", input="$event.step")
    assert made.trigger.source == "a reminder of any other flow"
    old(sql)
    wait(sql, waiting_run(sql, flow="a"), reminders=REMINDERS)
    queue.look()
    assert started(sql, "b") == []
    for _ in range(2):
        passes(sql, 11)
        queue.look()
        queue.look()
    assert started(sql, "b") == ["ask", "ask"]


def test_reminders_that_were_missed_while_nobody_looked_are_one(
    triggers: Triggers, queue: TriggerQueue, sql: Session
) -> None:
    triggers.create("t", "step.reminder", "b")
    old(sql)
    wait(sql, waiting_run(sql, flow="a"), reminders=REMINDERS)
    passes(sql, 1000)
    queue.look()
    queue.look()
    assert outcomes(sql) == [("t", "fired", None)]


@pytest.mark.parametrize("how", ["answered", "cancelled", "failed", "too late"])
def test_nobody_is_reminded_of_what_is_over(
    triggers: Triggers, queue: TriggerQueue, sql: Session, how: str
) -> None:
    triggers.create("t", "step.reminder", "b")
    old(sql)
    run_id = waiting_run(sql, flow="a")
    wait(sql, run_id, reminders=[10], seconds=60)
    if how == "answered":
        answer(sql, run_id)
    elif how == "too late":
        sql("update pgflow.waits set due_at = now() - interval '1 s'")
    else:
        sql("update pgflow.runs set status = %s", how)
    passes(sql, 11)
    queue.look()
    assert outcomes(sql) == []


def test_many_processes_that_look_remind_once(
    triggers: Triggers, database: Database, sql: Session
) -> None:
    triggers.create("t", "step.reminder", "b")
    old(sql)
    for _ in range(30):
        wait(sql, waiting_run(sql, flow="a"), reminders=[10])
    passes(sql, 11)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: TriggerQueue(database).look(), range(8)))
    TriggerQueue(database).look()
    assert outcomes(sql) == [("t", "fired", None)] * 30


def test_a_step_waits_whatever_is_wrong_with_triggers(
    triggers: Triggers, queue: TriggerQueue, sql: Session
) -> None:
    triggers.create("t", "step.waiting", "b")
    sql("alter table pgflow.trigger_events add constraint nothing check (false)")
    row = wait(sql, waiting_run(sql, flow="a"))
    assert row["status"] == "open"
    assert outcomes(sql) == []


def test_a_flow_that_asks_is_not_started_by_its_own_question(
    triggers: Triggers, queue: TriggerQueue, sql: Session
) -> None:
    triggers.create("t", "step.waiting", "a")
    wait(sql, waiting_run(sql, flow="a"))
    queue.look()
    assert started(sql, "a") == []


def test_flows_that_ask_because_others_ask_are_a_circle(triggers: Triggers) -> None:
    triggers.create("one", "step.waiting", "b", source_flow="a")
    made: Any = triggers.create("other", "step.reminder", "a", source_flow="b")
    assert [problem.code for problem in made.problems] == ["trigger-circle"]

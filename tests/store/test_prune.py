"""Runs that ended long ago are deleted with all that is known of them, and nothing else is."""

from datetime import timedelta
from typing import Any

import psycopg2
import pytest

from dagster_pgflow.errors import StoreRefused
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.old_runs import AT_A_TIME, OldRuns
from dagster_pgflow.store.trigger_queue import TriggerQueue
from dagster_pgflow.store.triggers import Triggers
from tests.postgres import Session
from tests.store.test_delete_flow import end_with_traces, left, run_of
from tests.store.triggering import ended, outcomes, queue, triggers

__all__ = ["queue", "triggers"]

MONTH = timedelta(days=30)


@pytest.fixture
def old(database: Database, sql: Session) -> OldRuns:
    sql("select pgflow.create_flow('f')")
    return OldRuns(database)


def ages(sql: Session, run_id: str, days: int) -> None:
    """Has a run have ended so many days ago."""
    sql(
        "update pgflow.runs set completed_at = now() - make_interval(days => %s) where run_id = %s",
        days,
        run_id,
    )


def test_a_run_that_ended_long_ago_goes_with_all_that_is_known_of_it(
    old: OldRuns, sql: Session
) -> None:
    doomed, kept = run_of(sql, "f"), run_of(sql, "f")
    for run_id, days in ((doomed, 31), (kept, 29)):
        end_with_traces(sql, run_id)
        ages(sql, run_id, days)
    before = left(sql)
    assert old.count(MONTH) == 1
    assert old.prune(MONTH) == 1
    assert left(sql) == {table: [kept] for table in before}
    assert old.count(MONTH) == 0


def test_many_go_some_at_a_time_the_oldest_first(old: OldRuns, sql: Session) -> None:
    runs = [run_of(sql, "f") for _ in range(5)]
    for run_id in runs:
        sql("update pgflow.runs set status = 'failed' where run_id = %s", run_id)
        ages(sql, run_id, 40)
    assert sql.value("select runs from pgflow.prune('30 days', 2)") == 2
    assert sql.column("select run_id::text from pgflow.runs order by id") == runs[2:]
    assert old.prune(MONTH) == 3


@pytest.mark.parametrize("status", ["queued", "started", "waiting"])
def test_what_is_under_way_stays_however_old_it_is(old: OldRuns, sql: Session, status: str) -> None:
    run_id = run_of(sql, "f")
    end_with_traces(sql, run_id)
    sql("update pgflow.runs set status = %s, updated_at = now() - interval '9 years'", status)
    before = left(sql)
    before.pop("trigger_events")  # An event that was looked at is of no use to a run.
    before.pop("trigger_outcomes")
    assert old.prune(MONTH) == 0
    now = left(sql)
    assert {table: now[table] for table in before} == before


def test_events_that_no_trigger_has_looked_at_stay(
    old: OldRuns, triggers: Triggers, queue: TriggerQueue, sql: Session
) -> None:
    triggers.create("t", "run.completed", "b", source_flow="a")
    seen = ended(sql, "a")
    queue.look()
    unseen = ended(sql, "a")
    sql("update pgflow.trigger_events set happened_at = now() - interval '40 days'")
    old.prune(MONTH)
    assert sql.column("select source from pgflow.trigger_events") == [unseen]
    assert seen != unseen


def test_old_events_go_to_the_last_one_however_few_runs_are_left(
    old: OldRuns, triggers: Triggers, sql: Session
) -> None:
    triggers.create("t", "run.completed", "b", source_flow="a")
    sql(
        "insert into pgflow.trigger_events (type, source, happened_at)"
        " select 'run.completed', number, now() - interval '40 days'"
        " from generate_series(1, 2 * %s + 1) as number",
        AT_A_TIME,
    )
    assert sql("select runs, events from pgflow.prune('30 days', 3)") == [(0, 3)]
    assert old.prune(MONTH) == 0
    assert sql("select from pgflow.trigger_events") == []
    assert sql("select * from pgflow.prune('30 days')") == [(0, 0, 0)]


def test_what_is_read_anew_of_a_deleted_run_starts_nothing_again(
    old: OldRuns, triggers: Triggers, queue: TriggerQueue, sql: Session
) -> None:
    triggers.create("t", "run.completed", "b", source_flow="a")
    sql("set session_replication_role = replica")
    sql("update pgflow.triggers set active_since = now() - interval '1 year'")
    sql("reset session_replication_role")
    run_id = ended(sql, "a")
    queue.look()
    sql("update pgflow.runs set status = 'completed', completed_at = now() - interval '40 days'")
    assert old.prune(MONTH) == 2
    # As `rebuild` writes what Dagster still has.
    sql(
        "insert into pgflow.runs (run_id, flow_slug, status, completed_at)"
        " values (%s, 'a', 'completed', now() - interval '40 days')",
        run_id,
    )
    assert queue.look() == 0
    assert outcomes(sql) == []
    ended(sql, "a")
    assert queue.look() == 1


@pytest.mark.parametrize("span", ["23 hours", "0", "-1 year", None])
def test_what_has_just_ended_is_not_deleted(sql: Session, old: OldRuns, span: Any) -> None:
    with pytest.raises(psycopg2.Error, match="write one day or more"):
        sql("select pgflow.prune(%s::interval)", span)
    with pytest.raises(StoreRefused, match="write one day or more"):
        old.prune(timedelta(hours=23))

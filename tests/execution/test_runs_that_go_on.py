"""Runs that waited go on with sensors alone: with what they waited for, their version, and once."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import dagster as dg
import pytest

from dagster_pgflow import Flow, FlowBuilder
from dagster_pgflow.names import continuation_id
from dagster_pgflow.resumption.claimed import ClaimedRuns, GoneOn, NotYet
from dagster_pgflow.store.continuations import Continuations
from dagster_pgflow.store.database import Database, Transaction
from dagster_pgflow.store.requests import Requests
from tests.execution.served_here import SENSOR, Here
from tests.postgres import Session

ASKS = (
    Flow("f", max_attempts=1)
    .step("a")
    .approval("ask", prompt="May it?", depends_on="a")
    .step("b", depends_on="ask")
)


@pytest.fixture
def here(database_url: str) -> Iterator[Here]:
    # The sensor creates all runs itself in a location that was loaded without the flow.
    with dg.DagsterInstance.ephemeral() as instance:
        yield Here(database_url, instance)


class Asked:
    """A run that waits, and what its tables say."""

    def __init__(self, here: Here, builder: FlowBuilder, requests: Requests, sql: Session) -> None:
        self.here, self._sql = here, sql
        builder.define_flow(ASKS)
        self.run_id = requests.start("f", {"n": 1})
        here.work()
        assert self.status == "waiting"

    @property
    def status(self) -> Any:
        return self._sql.value(f"select status from pgflow.runs where run_id = '{self.run_id}'")

    @property
    def continuations(self) -> list[tuple[Any, ...]]:
        return self._sql(
            "select number, kind, ended_at is not null from pgflow.run_continuations order by 1"
        )

    @property
    def problem(self) -> Any:
        return self._sql.value("select problem from pgflow.run_continuations")

    def answer(self) -> None:
        self._sql(f"select pgflow.answer('{self.run_id}', 'ask', '\"yes\"', 'ann')")

    def forget_pauses(self) -> None:
        """Lets the time pass that claims are good for, and that what failed is left alone."""
        self._sql(
            "update pgflow.run_continuations"
            " set claimed_at = claimed_at - interval '1 hour', not_before = null"
        )


@pytest.fixture
def asked(here: Here, builder: FlowBuilder, requests: Requests, sql: Session) -> Asked:
    return Asked(here, builder, requests, sql)


def test_a_run_goes_on_with_the_answer(asked: Asked, sql: Session) -> None:
    asked.answer()
    asked.here.work()

    assert asked.status == "completed"
    assert asked.here.calls == ["a", "b"]
    assert asked.continuations == [(1, "resume", True)]
    output = sql.value("select output from pgflow.runs")
    assert output["b"]["b"]["ask"]["answer"] == "yes"


def test_answers_that_come_while_a_run_begins_to_go_on_are_served_together(
    here: Here, builder: FlowBuilder, requests: Requests, sql: Session
) -> None:
    flow = Flow("many", max_attempts=1)
    for step in ("first", "second", "third"):
        flow = flow.approval(step, prompt="May it?")
    builder.define_flow(flow.step("b", depends_on=["first", "second", "third"]))
    run_id = requests.start("many", {})
    here.work()
    for step in ("first", "second"):
        sql("select pgflow.answer(%s, %s, 'true', 'ann')", str(run_id), step)

    [key] = here.tick()
    sql("select pgflow.answer(%s, 'third', 'true', 'ann')", str(run_id))
    [further] = here.instance.get_runs(dg.RunsFilter(tags={"dagster/run_key": key}))
    here.execute(further)
    here.work()

    assert here.calls == ["b"]
    assert sql.value("select status from pgflow.runs") == "completed"
    assert sql.value("select count(*) from pgflow.run_continuations") == 1


def test_nothing_goes_on_before_there_is_an_answer(asked: Asked) -> None:
    assert asked.here.tick() == []
    assert asked.status == "waiting"
    assert asked.continuations == []


def test_a_run_goes_on_in_its_version_after_edit_reload_and_delete(
    asked: Asked, builder: FlowBuilder, sql: Session
) -> None:
    builder.define_flow(Flow("f", max_attempts=1).step("c"))
    asked.here.load()
    asked.answer()
    asked.here.work()

    assert asked.status == "completed"
    assert asked.here.calls == ["a", "b"]


def test_a_tick_that_was_lost_is_made_good_and_the_run_goes_on_once(asked: Asked) -> None:
    asked.answer()
    [key] = asked.here.tick()
    assert asked.here.tick() == []
    asked.forget_pauses()
    assert asked.here.tick() == [key]
    asked.forget_pauses()
    asked.here.work()

    assert asked.status == "completed"
    assert asked.here.calls == ["a", "b"]
    assert asked.continuations == [(1, "resume", True)]


def test_a_run_that_the_daemon_has_submitted_is_not_asked_for_again(asked: Asked) -> None:
    asked.answer()
    asked.here.tick()
    run = asked.here.known(str(continuation_id(asked.run_id, 1)))
    enqueued = dg.DagsterEvent(dg.DagsterEventType.RUN_ENQUEUED.value, run.job_name)
    asked.here.instance.report_dagster_event(enqueued, run.run_id)
    asked.forget_pauses()

    assert asked.here.tick() == []


def test_a_run_whose_claimer_died_after_it_made_the_dagster_run_goes_on_in_that(
    asked: Asked, database: Database
) -> None:
    asked.answer()
    with pytest.raises(Died):
        database.run(lambda transaction: die_with(asked.here, transaction), is_repeatable=False)
    made = asked.here.instance.get_runs_count()
    assert asked.continuations == []
    asked.here.work()

    assert asked.here.instance.get_runs_count() == made
    assert asked.status == "completed"
    assert asked.here.calls == ["a", "b"]


class Died(Exception):
    """The process is no more."""


def die_with(here: Here, transaction: Transaction) -> None:
    claimed = claimed_runs(here)
    found = claimed.continuations.next(transaction)
    assert found is not None
    assert isinstance(claimed.make(transaction, found), GoneOn)
    raise Died


def claimed_runs(here: Here) -> ClaimedRuns:
    location = here.location
    return ClaimedRuns(
        here.instance,
        Continuations(location.database),
        lambda slug, watermark: location.pinned_job(slug, watermark).job,
        here.origins,
        SENSOR,
        location.projection_store().tables.announce,
        None,
    )


def test_of_two_who_claim_at_once_one_has_the_run(asked: Asked, database: Database) -> None:
    asked.answer()
    continuations = Continuations(database)

    def both(first: Transaction) -> tuple[bool, bool]:
        had = continuations.next(first)
        other = database.run(continuations.next, is_repeatable=False)
        return had is not None, other is not None

    assert database.run(both, is_repeatable=False) == (True, False)


def test_a_run_that_cannot_go_on_says_why_and_goes_on_once_it_can(
    asked: Asked, database: Database
) -> None:
    asked.answer()

    def refuse(_slug: str, _watermark: int) -> dg.JobDefinition:
        raise ValueError("no such thing \x00 \ud800")

    runs = claimed_runs(asked.here)
    refusing = ClaimedRuns(
        runs.instance, runs.continuations, refuse, runs.origins, SENSOR, runs.announce, None
    )

    def try_once(transaction: Transaction) -> Any:
        found = refusing.continuations.next(transaction)
        return found and refusing.make(transaction, found)

    told = database.run(try_once, is_repeatable=False)
    assert isinstance(told, NotYet)
    assert "ValueError: no such thing" in str(told.reason)
    assert asked.problem.startswith("ValueError: no such thing")
    assert asked.status == "waiting"
    assert database.run(try_once, is_repeatable=False) is None

    # A code location that was loaded anew tries at once.
    asked.here.load()
    asked.here.work()
    assert asked.status == "completed"
    assert asked.continuations == [(1, "resume", True)]


def test_a_run_that_cannot_go_on_keeps_no_other_from_going_on(
    asked: Asked, requests: Requests, sql: Session
) -> None:
    other = requests.start("f", {"n": 2})
    asked.here.work()
    asked.answer()
    sql(f"select pgflow.answer('{other}', 'ask', '\"yes\"', 'ann')")
    first = sql.value(f"select dagster_run_id from pgflow.runs where run_id = '{asked.run_id}'")
    asked.here.instance.delete_run(str(first))
    asked.here.work()

    assert sql.value(f"select status from pgflow.runs where run_id = '{other}'") == "completed"


def test_a_run_that_is_cancelled_while_it_waits_ends_in_dagster_too(
    asked: Asked, database: Database
) -> None:
    assert Continuations(database).cancel(asked.run_id)
    asked.here.work()

    assert asked.status == "cancelled"
    assert asked.continuations == [(1, "cancel", True)]
    run = asked.here.known(str(continuation_id(asked.run_id, 1)))
    assert run.status is dg.DagsterRunStatus.CANCELED


def test_a_run_that_cannot_go_on_can_be_cancelled(asked: Asked, database: Database) -> None:
    asked.answer()
    continuations = Continuations(database)

    def postpone(transaction: Transaction) -> None:
        found = continuations.next(transaction)
        assert found is not None
        continuations.postpone(transaction, found.run_id, found.number, "It is broken.")

    database.run(postpone, is_repeatable=False)
    assert continuations.cancel(asked.run_id)
    asked.here.work()

    assert asked.status == "cancelled"
    assert asked.continuations == [(1, "cancel", True)]


def test_what_is_left_of_a_run_that_failed_when_it_went_on_is_left_of_all_of_it(
    asked: Asked,
) -> None:
    asked.here.broken = {"b"}
    asked.answer()
    asked.here.work()
    asked.here.broken = set()

    assert asked.status == "failed"
    newest = Continuations(asked.here.location.database).newest(asked.run_id)
    assert newest == continuation_id(asked.run_id, 1)
    again = asked.here.again(asked.here.known(str(newest)))
    assert again.step_keys_to_execute == ["b"]


def test_a_run_from_the_launchpad_goes_on_too(
    here: Here, builder: FlowBuilder, sql: Session
) -> None:
    builder.define_flow(ASKS)
    first = here.first("f", 1)
    here.project()
    run_id = sql.value("select run_id from pgflow.runs")
    assert UUID(str(run_id)) == UUID(first.run_id)
    sql(f"select pgflow.answer('{run_id}', 'ask', '\"yes\"', 'ann')")
    here.work()

    assert sql("select status from pgflow.runs") == [("completed",)]
    assert here.calls == ["a", "b"]


def test_a_sleep_that_is_over_lets_the_run_go_on(
    here: Here, builder: FlowBuilder, requests: Requests, sql: Session
) -> None:
    builder.define_flow(Flow("f").sleep("nap", seconds=1000).step("a", depends_on="nap"))
    requests.start("f", {})
    here.work()
    assert here.tick() == []
    sql("update pgflow.waits set due_at = clock_timestamp()")
    here.work()

    assert sql("select status from pgflow.runs") == [("completed",)]


def test_while_a_live_worker_is_there_the_sensor_leaves_runs_to_it(
    asked: Asked, sql: Session
) -> None:
    sql(
        "insert into pgflow.live_workers"
        " (worker_id, code_location, host, process_id, concurrency, version)"
        " values (gen_random_uuid(), 'here', 'h', 1, 1, '0')"
    )
    asked.answer()
    assert asked.here.tick() == []

    sql("update pgflow.waits set closed_at = closed_at - interval '1 minute'")
    assert asked.here.tick() == [f"{asked.run_id}:1"]
    # Now it is the daemon's: no live worker takes it as well.
    asked.forget_pauses()
    continuations = Continuations(asked.here.location.database)
    assert (
        asked.here.location.database.run(
            lambda transaction: continuations.next(transaction, in_queue=False),
            is_repeatable=False,
        )
        is None
    )

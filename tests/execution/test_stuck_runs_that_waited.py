"""A run that waits is never stuck; the Dagster run that goes on with it may be."""

import time

import dagster as dg

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.settings import StuckThresholds
from dagster_pgflow.store.live_runs import LiveRuns
from dagster_pgflow.store.silent_runs import SilentRuns
from dagster_pgflow.stuck_runs.stuck_runs import StuckRuns, StuckRunsResult
from tests.execution.projecting import World, world
from tests.execution.projecting_waits import answer, claimed, created

__all__ = ["world"]

FLOW = Flow("f").approval("ask", prompt="?").step("then", "echo", depends_on="ask")
HANDLERS = {"echo": lambda given: given}
AT_ONCE = StuckThresholds(stuck_after=0.01, lost_after=0)


def settle(world: World) -> StuckRunsResult:
    """Does what a tick of the sensor does, when every run has been silent for days."""
    world.sql("update pgflow.run_continuations set created_at = created_at - interval '9 days'")
    world.sql("update pgflow.event_log set timestamp = timestamp - interval '9 days'")
    world.sql("update pgflow.runs set created_at = created_at - interval '9 days'")
    silent, live = SilentRuns(world.database), LiveRuns(world.database)
    asking = StuckRuns(world.instance, world.store.definitions, silent, live, AT_ONCE)
    return asking.settle(time.monotonic() + 60)


def waits(world: World) -> None:
    world.define(FLOW)
    world.run("f", HANDLERS)
    world.project()
    assert world.one("runs")["status"] == "waiting"


def test_a_run_that_waits_for_days_is_not_even_asked_about(world: World) -> None:
    waits(world)
    assert settle(world).verdicts == {}
    assert world.one("runs")["status"] == "waiting"


def test_a_dagster_run_that_is_to_go_on_and_was_not_begun_is_left_to_who_claims_it_next(
    world: World,
) -> None:
    waits(world)
    answer(world, "ask")
    continuation = claimed(world)
    assert continuation is not None
    further = created(world, continuation, world.job("f", HANDLERS))
    assert further.status is dg.DagsterRunStatus.NOT_STARTED
    assert [*settle(world).verdicts.values()] == ["waits"]
    world.project()
    assert world.one("runs")["status"] == "waiting"
    assert world.one("run_continuations")["ended_at"] is None


def test_a_dagster_run_that_is_to_go_on_and_does_not_begin_is_asked_about(
    world: World,
) -> None:
    waits(world)
    answer(world, "ask")
    continuation = claimed(world)
    assert continuation is not None
    further = created(world, continuation, world.job("f", HANDLERS))
    first = world.one("runs")["dagster_run_id"]
    assert [str(asked) for asked in settle(world).verdicts] == [str(first)]
    world.instance.report_run_failed(further)
    world.project()
    assert world.one("runs")["status"] == "failed"
    assert world.one("run_continuations")["ended_at"] is not None

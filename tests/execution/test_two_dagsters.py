"""Two Dagsters work with one store: what the one has under way, the other leaves alone."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
import pytest

from dagster_pgflow.dagster_log.which_log import log_of
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.projection.sync.lost_runs import DELETED, GONE
from dagster_pgflow.settings import StuckThresholds
from dagster_pgflow.store.continuations import Continuations
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.live_runs import LiveRuns
from dagster_pgflow.store.silent_runs import SilentRuns
from dagster_pgflow.stuck_runs.stuck_runs import StuckRuns, StuckRunsResult
from tests.execution.projecting import World, opened_world, world
from tests.execution.projecting_waits import answer, go_on
from tests.postgres import Session

__all__ = ["world"]

FLOW = Flow("f").step("a", handler="echo").step("b", handler="then", depends_on="a")
ASKS = Flow("asks").approval("ask", prompt="?").step("then", "echo", depends_on="ask")
AT_ONCE = StuckThresholds(stuck_after=0.01, lost_after=0)


@pytest.fixture
def other(database: Database, sql: Session) -> Iterator[World]:
    """The same store, and a Dagster of its own."""
    with (
        dg.DagsterInstance.ephemeral() as instance,
        opened_world(database, sql, instance) as other,
    ):
        yield other


def run_meanwhile(world: World, look: Callable[[], object]) -> None:
    """Runs the flow `f`, and looks at it while its second step is at work."""

    def then(given: Any) -> Any:
        world.project()
        world.sql("update pgflow.run_cursors set due_at = '-infinity'")
        look()
        return given

    world.define(FLOW)
    world.run("f", {"echo": lambda given: given, "then": then})


def has_been_away(world: World) -> None:
    """A Dagster was last heard of more than an hour ago."""
    world.sql(
        "update pgflow.dagster_logs set seen_at = now() - interval '61 minutes' where log = %s",
        log_of(world.instance),
    )


def ended(world: World) -> tuple[str, str | None]:
    [(status, message)] = world.sql("select status, error_message from pgflow.runs")
    return status, message


def ask_about_silent_runs(world: World) -> StuckRunsResult:
    world.sql("update pgflow.event_log set timestamp = timestamp - interval '9 days'")
    world.sql("update pgflow.runs set created_at = created_at - interval '9 days'")
    asking = StuckRuns(
        world.instance,
        world.store.definitions,
        SilentRuns(world.database),
        LiveRuns(world.database),
        AT_ONCE,
    )
    return asking.settle(time.monotonic() + 60)


def test_each_has_a_name_that_it_keeps_and_that_is_no_others(world: World, other: World) -> None:
    name = log_of(world.instance)
    world.instance.run_storage.wipe()
    assert log_of(world.instance) == name
    assert log_of(other.instance) != name


def test_a_run_under_way_is_left_to_the_dagster_that_has_it(world: World, other: World) -> None:
    seen: list[Any] = []
    run_meanwhile(world, lambda: seen.append((other.project().written, world.one("runs"))))
    [(written, run)] = seen
    assert (written, run["status"], run["error_message"]) == (0, "started", None)
    world.settle()
    assert ended(world) == ("completed", None)


def test_a_silent_run_is_asked_about_by_the_dagster_that_has_it_alone(
    world: World, other: World
) -> None:
    seen: list[StuckRunsResult] = []

    def look() -> None:
        seen.append(ask_about_silent_runs(other))
        seen.append(ask_about_silent_runs(world))

    run_meanwhile(world, look)
    [of_other, own] = [[*result.verdicts.values()] for result in seen]
    assert (of_other, len(own)) == ([], 1)


def test_a_run_of_a_dagster_that_is_gone_ends_and_goes_on_should_that_come_back(
    world: World, other: World
) -> None:
    seen: list[Any] = []

    def look() -> None:
        has_been_away(world)
        other.project()
        seen.append(ended(world))

    run_meanwhile(world, look)
    assert seen == [("cancelled", GONE)]
    world.project()
    assert ended(world) == ("completed", None)
    assert set(world.by_path("status").values()) == {"completed"}


def test_a_run_of_a_dagster_that_was_wiped_ends_at_once(world: World) -> None:
    seen: list[Any] = []

    def look() -> None:
        world.instance.run_storage.wipe()
        world.project()
        seen.append(ended(world))

    run_meanwhile(world, look)
    assert seen == [("cancelled", DELETED)]


def test_a_run_that_nobody_has_put_a_name_to_is_taken_for_ones_own(
    world: World, other: World
) -> None:
    seen: list[Any] = []

    def look() -> None:
        world.sql("update pgflow.run_cursors set log = null")
        other.project()
        seen.append(world.one("runs")["status"])

    run_meanwhile(world, look)
    assert seen == ["cancelled"]


def test_a_run_that_was_moved_belongs_to_the_dagster_that_has_it_now(
    world: World, other: World
) -> None:
    world.define(FLOW)
    world.run("f", {"echo": lambda given: given, "then": lambda given: given})
    world.project(budget_s=0)
    world.sql("update pgflow.run_cursors set log = %s", log_of(other.instance))
    other.project(budget_s=0)
    assert world.project().written == 1
    assert world.one("run_cursors")["log"] == log_of(world.instance)


def test_a_dagster_finds_its_runs_however_far_another_one_has_read(
    world: World, other: World
) -> None:
    world.define(FLOW)
    handlers = {"echo": lambda given: given, "then": lambda given: given}
    world.run("f", handlers)
    world.project()
    world.sql(
        "update pgflow.projection_cursors"
        """ set position = position || '{"changed_at": "2999-01-01T00:00:00+00:00"}'"""
    )
    other.run("f", handlers)
    other.project()
    assert world.sql.column("select status from pgflow.runs") == ["completed", "completed"]


def test_a_run_that_waits_goes_on_in_the_dagster_that_has_it(world: World, other: World) -> None:
    world.define(ASKS)
    world.run("asks", {"echo": lambda given: given})
    world.project()
    other.project()
    answer(world, "ask")
    claimed = Continuations(world.database)

    def claim(name: str | None) -> Any:
        return world.database.run(lambda transaction: claimed.next(transaction, own_log=name))

    assert claim(log_of(other.instance)) is None
    assert world.sql("select from pgflow.run_continuations") == []
    assert claim(log_of(world.instance)) is not None
    world.sql("update pgflow.run_continuations set claimed_at = null")
    has_been_away(world)
    assert claim(log_of(other.instance)) is not None
    world.sql("update pgflow.run_continuations set claimed_at = null")
    go_on(world, "asks", {"echo": lambda given: given})
    world.project()
    assert ended(world) == ("completed", None)


def test_a_request_that_one_dagster_was_given_is_started_by_no_other(
    world: World, other: World
) -> None:
    world.define(FLOW)
    run_id = world.requests.start("f", {})
    own, others = log_of(world.instance), log_of(other.instance)

    def pending(name: str | None) -> list[Any]:
        return [one.run_id for one in world.waiting.pending(10, own_log=name)]

    assert pending(others) == [run_id]
    assert world.waiting.hand_over([run_id], own) == {run_id}
    assert (pending(own), pending(others)) == ([run_id], [])
    assert world.waiting.hand_over([run_id], others) == frozenset()
    assert world.waiting.hand_over([run_id], own) == {run_id}
    has_been_away(world)
    assert pending(others) == [run_id]
    assert world.waiting.hand_over([run_id], others) == {run_id}
    assert pending(own) == []

"""How the projection finds runs, and what it does when something is not as it should be."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import dagster as dg
import pytest

from dagster_pgflow.dagster_log.dagster_runs import DagsterRuns
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import TAG_FLOW, TAG_STORE, TAG_WATERMARK
from dagster_pgflow.projection.sync.lost_runs import DELETED, DELETED_OR_ELSEWHERE
from dagster_pgflow.projection.sync.projector import (
    GIVEN_UP_AFTER,
    Projector,
    pins_of,
    rebuild,
)
from dagster_pgflow.projection.sync.sensor import build_projection_sensor
from tests.execution.projecting import World, world

__all__ = ["world"]

FLOW = Flow("f").step("a").map("b", depends_on="a").step("c", depends_on="b")
HANDLERS = {"a": lambda _: [1, 2], "b": lambda value: value, "c": lambda value: value}


def test_the_sensor_writes_runs_and_says_so(world: World) -> None:
    world.define(FLOW)
    world.run("f", HANDLERS)
    sensor = build_projection_sensor("pgflow_projection", world.store, lambda _: 0)
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert sensor.minimum_interval_seconds == 5
    context = dg.build_sensor_context(instance=world.instance)
    answer = sensor.evaluate_tick(context)
    assert answer.skip_message == "Wrote 1 run, 0 had nothing new."
    assert world.one("runs")["status"] == "completed"
    context = dg.build_sensor_context(instance=world.instance)
    assert sensor.evaluate_tick(context).skip_message == "Wrote 0 runs, 0 had nothing new."


def test_a_requested_run_keeps_its_row_and_learns_its_dagster_run(world: World) -> None:
    world.define(FLOW)
    run_id = world.requests.start("f", {"x": 1})
    before = world.one("runs")
    assert before["status"] == "queued"
    dagster_run_id = world.run("f", HANDLERS, {"x": 1}, run_id=run_id)
    world.settle()
    run = world.one("runs")
    assert (run["id"], run["run_id"]) == (before["id"], str(run_id))
    assert (run["dagster_run_id"], run["status"]) == (str(dagster_run_id), "completed")
    assert run["created_at"] == before["created_at"]
    assert world.waiting.pending(10) == ()


def test_a_waiting_request_is_left_alone(world: World) -> None:
    world.define(FLOW)
    world.requests.start("f", {})
    before = world.snapshot()
    world.project()
    assert world.snapshot() == before


def test_two_dagster_runs_with_one_run_id_are_two_runs(world: World) -> None:
    world.define(FLOW)
    run_id = uuid4()
    first = world.run("f", HANDLERS, run_id=run_id)
    world.project()
    second = world.run("f", HANDLERS, run_id=run_id)
    world.settle()
    rows = world.sql("select run_id, dagster_run_id from pgflow.runs order by id")
    assert rows == [(str(run_id), str(first)), (str(second), str(second))]


def test_runs_of_others_leave_no_trace(world: World) -> None:
    world.define(FLOW)

    @dg.op
    def foreign() -> None: ...

    @dg.job
    def theirs() -> None:
        foreign()

    theirs.execute_in_process(instance=world.instance)
    other = {TAG_STORE: str(uuid4()), TAG_FLOW: "f", TAG_WATERMARK: "1"}
    theirs.execute_in_process(instance=world.instance, tags=other)
    world.project()
    assert world.sql("select from pgflow.run_cursors") == []
    assert world.sql("select from pgflow.runs") == []


def ours(world: World, **tags: str) -> dict[str, str]:
    return {TAG_STORE: str(world.store.definitions.store_id()), **tags}


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {TAG_FLOW: "f", TAG_WATERMARK: "soon"},
        {TAG_FLOW: "gone", TAG_WATERMARK: "1"},
        {TAG_FLOW: "f", TAG_WATERMARK: "0"},
    ],
)
def test_a_run_that_cannot_be_read_is_seen_and_holds_up_no_other(
    world: World, tags: dict[str, str]
) -> None:
    world.define(FLOW)

    @dg.job
    def broken() -> None: ...

    result = broken.execute_in_process(instance=world.instance, tags=ours(world, **tags))
    good = world.run("f", HANDLERS)
    tally = world.project()
    assert tally.written == 1
    assert len(tally.problems) == 1
    assert result.run_id in tally.problems[0]
    assert world.one("runs")["dagster_run_id"] == str(good)
    cursor = world.one("run_cursors", f"dagster_run_id = '{result.run_id}'")
    assert cursor["failures"] == 1
    assert cursor["error_message"]
    # It is tried again, later and later.
    assert world.project().problems == []
    world.sql("update pgflow.run_cursors set due_at = now()")
    assert len(world.project().problems) == 1
    cursor = world.one("run_cursors", f"dagster_run_id = '{result.run_id}'")
    assert (cursor["failures"], cursor["is_final"]) == (2, False)


def test_nobody_waits_for_ever_for_a_run_that_cannot_be_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.define(FLOW)
    run_id = world.requests.start("f", {})
    world.run("f", HANDLERS, run_id=run_id)
    with monkeypatch.context() as patch:
        patch.setattr(DagsterRuns, "_pinned_tags", lambda *_: {TAG_WATERMARK: "no number"})
        for _ in range(GIVEN_UP_AFTER):
            assert world.one("runs")["status"] == "queued"
            world.project()
            world.sql("update pgflow.run_cursors set due_at = now()")
    run = world.one("runs")
    assert run["status"] == "completed"
    assert "could not be read" in run["error_message"]
    world.look_again()
    world.settle()
    run = world.one("runs")
    assert (run["status"], run["error_message"]) == ("completed", None)
    assert world.by_path("status")["c"] == "completed"


def test_a_run_that_is_deleted_while_under_way_ends_as_cancelled(world: World) -> None:
    def vanish(value: Any, context: Any) -> None:
        world.project()
        world.instance.delete_run(context.run_id)
        world.sql("update pgflow.run_cursors set due_at = now()")
        world.project()
        seen.update(world.by_path("status"), run=world.one("runs"))

    seen: dict[str, Any] = {}
    world.define(FLOW)
    dagster_run_id = world.run("f", {**HANDLERS, "c": vanish})
    assert seen["run"]["status"] == "cancelled"
    assert seen["run"]["error_message"] == DELETED
    assert (seen["a"], seen["b"], seen["c"]) == ("completed", "completed", "cancelled")
    run_id = world.tables.run_id_of(dagster_run_id)
    assert run_id is not None
    before = world.snapshot()
    rebuild(world.instance, world.store)
    assert world.snapshot() == before


def test_a_requested_run_that_is_deleted_before_it_was_read_ends_too(world: World) -> None:
    world.define(FLOW)
    run_id = world.requests.start("f", {})
    dagster_run_id = world.run("f", HANDLERS, run_id=run_id)
    world.sql(
        "insert into pgflow.run_cursors (dagster_run_id, found_at) values (%s, now())",
        str(dagster_run_id),
    )
    world.sql("update pgflow.runs set dagster_run_id = %s", str(dagster_run_id))
    world.instance.delete_run(str(dagster_run_id))
    world.project()
    run = world.one("runs")
    assert (run["status"], run["error_message"]) == ("cancelled", DELETED_OR_ELSEWHERE)
    assert world.sql("select from pgflow.run_cursors") == []


def test_a_run_that_is_deleted_after_its_end_keeps_its_rows(world: World) -> None:
    world.define(FLOW)
    dagster_run_id = world.run("f", HANDLERS)
    world.project()
    before = world.snapshot()
    world.instance.delete_run(str(dagster_run_id))
    world.settle()
    assert world.snapshot() == before
    rebuild(world.instance, world.store)
    assert world.snapshot() == before


def test_a_tick_out_of_time_goes_on_at_the_next(world: World) -> None:
    world.define(FLOW)
    for _ in range(3):
        world.run("f", HANDLERS)
    tally = world.project(budget_s=0)
    assert (tally.written, tally.is_complete) == (0, False)
    assert world.sql("select from pgflow.runs") == []
    assert world.project().written == 3


def test_a_slower_sensor_does_not_overwrite_a_faster_one(world: World) -> None:
    world.define(FLOW)
    world.run("f", HANDLERS)
    world.project(budget_s=0)
    [cursor] = world.tables.due(world.tables.clock(), 10, None)
    world.project()
    before = world.snapshot()
    projector = Projector(world.instance, world.store, pins_of(world.store))
    records = projector._runs.find([cursor.dagster_run_id])
    looks = world.one("run_cursors")["looks"]
    projector._look(cursor, records[cursor.dagster_run_id])
    assert world.snapshot() == before
    assert world.one("run_cursors")["looks"] == looks


def test_a_run_is_read_once_more_after_its_end(world: World) -> None:
    world.define(FLOW)
    world.run("f", HANDLERS)
    world.project()
    cursor = world.one("run_cursors")
    assert (cursor["is_final"], cursor["end_seen_at"] is not None) == (False, True)
    assert cursor["due_at"] - cursor["end_seen_at"] > timedelta(seconds=20)
    world.settle()
    assert world.one("run_cursors")["is_final"]


def test_discovery_pages_through_many_runs_of_one_moment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dagster_pgflow.projection.sync.discovery.RUNS_PER_PAGE", 2)
    world.define(FLOW)
    made = {str(world.run("f", HANDLERS)) for _ in range(7)}
    world.project()
    assert set(world.sql.column("select dagster_run_id from pgflow.runs")) == made


def test_a_search_now_and_then_finds_what_a_wrong_clock_dated_back(world: World) -> None:
    world.define(FLOW)
    world.run("f", HANDLERS)
    world.project()
    ahead = "jsonb_build_object('changed_at', now() + interval '3 hours', 'deep_at', {})"
    write = "update pgflow.projection_cursors set position = "
    world.sql(write + ahead.format("now()"))
    late = world.run("f", HANDLERS)
    assert world.project().written == 0
    world.sql(write + ahead.format("now() - interval '1 hour'"))
    assert world.project().written == 1
    assert world.sql("select status from pgflow.runs where dagster_run_id = %s", str(late)) == [
        ("completed",)
    ]


def test_a_run_of_many_events_goes_behind_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dagster_pgflow.dagster_log.event_pages.EVENTS_PER_PAGE", 2)
    postponed: list[float] = []
    postpone = world.tables.postpone

    def note(dagster_run_ids: Any, pause: float = 0.0) -> None:
        if dagster_run_ids:
            postponed.append(pause)
        postpone(dagster_run_ids, pause)

    monkeypatch.setattr(world.tables, "postpone", note)
    world.define(FLOW)
    world.run("f", HANDLERS)
    assert world.project().written == 1
    assert postponed == [60.0]
    assert world.one("runs")["status"] == "completed"

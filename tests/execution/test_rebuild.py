"""Run tables that are made anew, and runs that are deleted: no row is lost, and none is left."""

from typing import Any

import pytest

from dagster_pgflow.dagster_log.dagster_runs import DagsterRuns
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.projection.sync.projector import Projector, pins_of, rebuild
from dagster_pgflow.step_errors import NonRetryable
from tests.execution.projecting import World, world

__all__ = ["world"]

FLOW = Flow("f").step("a").map("b", depends_on="a").step("c", depends_on="b")
HANDLERS = {"a": lambda _: [1, 2], "b": lambda value: value, "c": lambda value: value}
EVERYTHING = (
    Flow("g")
    .step("numbers")
    .map("each", handler="y", depends_on="numbers")
    .branch("route", rules=[("size(output) > 1", "many")], default_path="few", depends_on="numbers")
    .step("many", handler="y", depends_on="route")
    .step("few", handler="y", depends_on="route")
    .subflow("s", "inner", depends_on="many")
    .subflow("items", "inner", over="numbers", depends_on="numbers", mode="run")
    .loop(
        "again",
        back_to="y",
        condition="ctx.iteration < 2",
        max_iterations=3,
        depends_on="y",
    )
    .step("y", depends_on=["s", "few"])
)
IDENTITY = {"id", "subrun_id", "parent_run_id", "parent_subrun_id"}


def without_numbers(snapshot: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return {
        table: [{k: v for k, v in row.items() if k not in IDENTITY} for row in rows]
        for table, rows in snapshot.items()
    }


def test_rebuild_repairs_rows_and_keeps_their_numbers(world: World) -> None:
    world.define(Flow("inner").step("x"), Flow("g").subflow("s", "inner").step("y"))
    world.run("g", {"x": lambda _: 1, "y": lambda _: 2})
    world.settle()
    before = world.snapshot()
    world.sql("update pgflow.runs set status = 'queued', output = null")
    world.sql("update pgflow.subruns set status = 'failed'")
    world.sql("delete from pgflow.step_states where step_slug = 'x'")
    world.sql("update pgflow.step_tasks set output = '5'")
    world.sql("update pgflow.event_log set event_data = '{}' where sequence_num = 3")
    world.sql("delete from pgflow.event_log where sequence_num = 5")
    world.sql(
        "insert into pgflow.step_states (run_id, step_path, step_slug, flow_slug)"
        " select run_id, 'z', 'z', 'g' from pgflow.runs"
    )
    tally = rebuild(world.instance, world.store)
    assert (tally.written, tally.problems) == (1, [])
    assert world.snapshot() == before


def test_rebuild_from_nothing_gives_the_same_rows(world: World) -> None:
    def fail(value: Any) -> None:
        raise NonRetryable("no")

    world.define(Flow("inner").step("x"), EVERYTHING)
    refused = world.requests.start("g", {})
    world.waiting.refuse(refused, "not today")
    waiting = world.requests.start("g", {"w": 1})
    run_id = world.requests.start("g", {})
    handlers = {"numbers": lambda _: [1, 2], "x": lambda _: 1}
    world.run("g", {**handlers, "y": lambda _: 2}, run_id=run_id)
    world.run("g", {**handlers, "y": fail})
    world.settle()
    before = without_numbers(world.snapshot())
    assert [table for table, rows in before.items() if not rows] == ["pending_tokens"]
    assert {row["run_id"] for row in before["runs"]} >= {str(refused), str(waiting), str(run_id)}
    world.sql("truncate pgflow.runs, pgflow.event_log, pgflow.run_cursors cascade")
    world.sql("truncate pgflow.projection_cursors")
    rebuild(world.instance, world.store)
    after = without_numbers(world.snapshot())
    for table, rows in before.items():
        assert sorted(after[table], key=str) == sorted(rows, key=str)


def test_rows_come_back_although_a_sensor_is_faster_than_the_rebuild(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.define(FLOW)
    world.run("f", HANDLERS)
    world.settle()
    before = world.snapshot()
    reopen = world.tables.reopen

    def reopen_and_look() -> None:
        reopen()
        world.project()

    monkeypatch.setattr(world.tables, "reopen", reopen_and_look)
    for table in before.keys() - {"runs", "event_log"}:
        world.sql(f"delete from pgflow.{table}")
    rebuild(world.instance, world.store)
    assert world.snapshot() == before


def test_a_sensor_that_reads_while_a_rebuild_begins_is_late(world: World) -> None:
    world.define(FLOW)
    world.run("f", HANDLERS)
    world.project(budget_s=0)
    [cursor] = world.tables.due(world.tables.clock(), 10, None)
    projector = Projector(world.instance, world.store, pins_of(world.store))
    world.tables.reopen()
    [record] = DagsterRuns(world.instance).find([cursor.dagster_run_id]).values()
    projector._look(cursor, record)
    assert world.sql("select from pgflow.runs") == []
    world.project()
    assert world.one("runs")["status"] == "completed"


def test_what_is_deleted_leaves_no_row_behind(world: World) -> None:
    world.define(Flow("inner").step("x"), EVERYTHING)
    handlers = {"numbers": lambda _: [1, 2], "x": lambda _: 1, "y": lambda _: 2}
    world.run("g", handlers)
    world.run("inner", handlers)
    world.settle()
    before = world.snapshot()
    assert {row["status"] for row in before["runs"]} == {"completed"}
    [kept] = [row["run_id"] for row in before["runs"] if row["flow_slug"] == "inner"]
    world.builder.delete_flow("g", with_runs=True)
    after = world.snapshot()
    assert after.pop("subruns") == []
    assert after == {
        table: [row for row in rows if row["run_id"] == kept]
        for table, rows in before.items()
        if table != "subruns"
    }
    assert set(world.sql.column("select dagster_run_id::text from pgflow.step_outputs")) == {kept}
    world.project()
    assert [row["run_id"] for row in world.snapshot()["runs"]] == [kept]

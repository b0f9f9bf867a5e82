"""Which edges a run took, by SQL and in Dagster."""

from typing import Any
from uuid import UUID

import dagster as dg
import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import PATH_KEY
from dagster_pgflow.projection.sync import route_in_dagster
from tests.execution.projecting import World, world

__all__ = ["world"]

FLOW = (
    Flow("parcel")
    .step("weigh")
    .step("letter", "send", depends_on="weigh", run_if="input.weigh < 1000")
    .step(
        "van",
        "send",
        depends_on="weigh",
        run_if="input.weigh >= 1000",
        when_unmet="skip-cascade",
    )
    .step("sign", "send", depends_on="van")
    .step("note", "send", depends_on="letter")
)
HANDLERS: dict[str, Any] = {"weigh": lambda given: given["grams"], "send": lambda _given: "sent"}
BEGIN = [("begin", "weigh"), ("weigh", "letter"), ("weigh", "van"), ("letter", "note")]
LIGHT = [*BEGIN, ("van", "end"), ("note", "end")]
HEAVY = [*BEGIN, ("van", "sign"), ("sign", "end"), ("note", "end")]


def path_by_sql(world: World, run_id: UUID) -> list[tuple[str, str]]:
    rows = world.sql(
        "select coalesce(from_node, 'begin'), coalesce(to_node, 'end') from pgflow.run_path(%s)",
        str(run_id),
    )
    return [(start, end) for start, end in rows]


def paths_in_dagster(world: World, run_id: UUID) -> list[list[tuple[str, str]]]:
    found = []
    for entry in world.instance.all_logs(str(run_id)):
        event = entry.dagster_event
        if event is not None and event.event_type == dg.DagsterEventType.ENGINE_EVENT:
            table = event.engine_event_data.metadata.get(PATH_KEY)
            if isinstance(table, dg.TableMetadataValue):
                records = [record.data for record in table.records]
                found.append([(str(row["from"]), str(row["to"])) for row in records])
    return found


def test_a_run_tells_which_way_it_took(world: World) -> None:
    world.define(FLOW)
    light = world.run("parcel", HANDLERS, {"grams": 20})
    heavy = world.run("parcel", HANDLERS, {"grams": 2000})
    world.project()
    assert sorted(path_by_sql(world, light)) == sorted(LIGHT)
    assert sorted(path_by_sql(world, heavy)) == sorted(HEAVY)


def sentences_in_dagster(world: World, run_id: UUID) -> list[str]:
    return [
        entry.dagster_event.message or ""
        for entry in world.instance.all_logs(str(run_id))
        if entry.dagster_event is not None
        and entry.dagster_event.event_type == dg.DagsterEventType.ENGINE_EVENT
        and PATH_KEY in entry.dagster_event.engine_event_data.metadata
    ]


def test_dagster_shows_the_path_of_a_run_once_as_soon_as_it_is_over(
    world: World,
) -> None:
    world.define(FLOW)
    run_id = world.run("parcel", HANDLERS, {"grams": 20})
    world.project()
    assert len(paths_in_dagster(world, run_id)) == 1
    world.settle()
    shown = [edge for edge in path_by_sql(world, run_id) if "van" not in edge]
    assert paths_in_dagster(world, run_id) == [shown]
    before = world.snapshot()
    world.look_again()
    world.look_again()
    assert paths_in_dagster(world, run_id) == [shown]
    assert world.snapshot() == before


def test_the_path_in_dagster_tells_apart_what_was_skipped(world: World) -> None:
    world.define(FLOW)
    light = world.run("parcel", HANDLERS, {"grams": 20})
    heavy = world.run("parcel", HANDLERS, {"grams": 2000})
    world.settle()
    [sentence] = sentences_in_dagster(world, light)
    path = "begin → weigh → letter → note → end"
    assert sentence == f"The path of this run: {path}. Skipped: van, sign."
    # The run goes on behind `letter`, which is skipped.
    [sentence] = sentences_in_dagster(world, heavy)
    assert "weigh → letter (skipped)" in sentence
    assert "letter (skipped) → note" in sentence
    assert "Skipped:" not in sentence


def test_the_path_in_dagster_says_why_it_is_the_one(world: World) -> None:
    world.define(FLOW)
    run_id = world.run("parcel", HANDLERS, {"grams": 20})
    world.settle()
    [event] = [
        entry.dagster_event.engine_event_data
        for entry in world.instance.all_logs(str(run_id))
        if entry.dagster_event is not None
        and entry.dagster_event.event_type == dg.DagsterEventType.ENGINE_EVENT
        and PATH_KEY in entry.dagster_event.engine_event_data.metadata
    ]
    rows, told = world.by_path("why"), event.metadata["why"]
    assert isinstance(told, dg.TableMetadataValue)
    assert [record.data for record in told.records] == [
        {"step": path, "why": rows[path]} for path in ("van", "sign")
    ]


def test_a_run_of_which_everything_is_skipped_took_no_path(world: World) -> None:
    inner = Flow("inner").step("deep", "send", run_if="1 == 2")
    world.define(inner, Flow("idle").subflow("around", "inner", run_if="1 == 2"))
    run_id = world.run("idle", HANDLERS, {})
    world.settle()
    assert paths_in_dagster(world, run_id) == [[]]
    assert sentences_in_dagster(world, run_id) == ["Skipped: around."]


def test_a_subflow_is_on_the_path_although_all_of_its_steps_are_skipped(world: World) -> None:
    inner = Flow("inner").step("deep", "send", run_if="1 == 2")
    world.define(inner, Flow("around").subflow("sub", "inner"))
    run_id = world.run("around", HANDLERS, {})
    world.settle()
    assert sentences_in_dagster(world, run_id) == [
        "The path of this run: begin → sub → end. Skipped: sub.deep."
    ]


def test_what_dagster_shows_of_a_long_path_is_bounded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route_in_dagster, "EDGES_SHOWN", 3)
    world.define(FLOW)
    run_id = world.run("parcel", HANDLERS, {"grams": 20})
    world.settle()
    assert paths_in_dagster(world, run_id) == [
        [("begin", "weigh"), ("weigh", "letter"), ("letter", "note"), ("note", "end")][:3]
    ]


def test_what_is_asked_of_a_run_is_answered_by_its_tokens(world: World) -> None:
    world.define(FLOW)
    run_id = world.run("parcel", HANDLERS, {"grams": 20})
    requested = world.requests.start("parcel", {"grams": 1})
    counter = "select pgflow.get_run_counter(%s), pgflow.is_run_complete(%s)"
    world.settle()
    assert world.sql(counter, str(run_id), str(run_id)) == [(0, True)]
    assert world.sql(counter, str(requested), str(requested)) == [(None, False)]
    nobody = "00000000-0000-0000-0000-000000000000"
    assert world.sql(counter, nobody, nobody) == [(None, None)]
    world.waiting.refuse(requested, "no")
    assert world.sql(counter, str(requested), str(requested)) == [(0, True)]

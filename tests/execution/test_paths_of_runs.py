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


def test_dagster_shows_the_path_of_a_run_once_as_soon_as_it_is_over(
    world: World,
) -> None:
    world.define(FLOW)
    run_id = world.run("parcel", HANDLERS, {"grams": 20})
    world.project()
    assert paths_in_dagster(world, run_id) == [path_by_sql(world, run_id)]
    world.settle()
    assert paths_in_dagster(world, run_id) == [path_by_sql(world, run_id)]
    before = world.snapshot()
    world.look_again()
    world.look_again()
    assert paths_in_dagster(world, run_id) == [path_by_sql(world, run_id)]
    assert world.snapshot() == before


def test_what_dagster_shows_of_a_long_path_is_bounded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route_in_dagster, "EDGES_SHOWN", 4)
    world.define(FLOW)
    run_id = world.run("parcel", HANDLERS, {"grams": 20})
    world.settle()
    assert paths_in_dagster(world, run_id) == [path_by_sql(world, run_id)[:4]]


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

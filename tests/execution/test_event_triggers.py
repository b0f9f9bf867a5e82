"""Flows that start each other: events of real runs and assets, looked at by the sensors."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from dagster_pgflow.location.location import Location
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import TAG_TRIGGER
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.store.asset_events import AssetEvents, Materialization
from dagster_pgflow.store.triggers import Triggers
from dagster_pgflow.triggers import asset_sensor
from tests.execution.projecting import World, world
from tests.execution.ticks import tick_context
from tests.postgres import Session, as_role

__all__ = ["world"]


def fails(_value: Any) -> None:
    raise RuntimeError("no \x00 luck")


def counts_on(value: Any, ctx: StepContext) -> int:
    following = (value.get("payload") or value)["n"] + 1
    ctx.resources.pgflow.signal("next", {"n": following}, broadcast=True)
    return int(following)


HANDLERS: dict[str, Callable[..., Any]] = {
    "same": lambda value: value,
    "fails": fails,
    "counts_on": counts_on,
    "large": lambda _: {"text": "x" * 10_000_000, "n": 2},
}


class Deployment:
    """A code location and its sensors, with the rights of a worker."""

    def __init__(self, world: World, database_url: str) -> None:
        url = as_role(database_url, "worker")
        settings: Any = {"database_url": url, "handlers": [HANDLERS]}
        self.world = world
        self.tags: list[Any] = []
        self._sensors = Location(settings).sensors()

    def tick(self, sensor: str) -> Any:
        made = self._sensors[f"pgflow_{sensor}"]()
        return made.evaluate_tick(tick_context(self.world.instance))

    def settle(self) -> None:
        """Runs whatever waits, until nothing does any more."""
        while True:
            self.world.settle()
            asked = self.tick("requests").run_requests or []
            if not asked:
                return
            for one in asked:
                self.tags.append(one.tags)
                slug = one.tags.get("dagster-pgflow/flow") or one.job_name
                given = self.world.waiting.requested_input(one.run_key)
                self.world.run(slug, HANDLERS, given, run_id=one.run_key)


@pytest.fixture
def deployed(world: World, database_url: str) -> Callable[..., Deployment]:
    """Stores flows, and loads a code location with them."""

    def deploy(*flows: Flow) -> Deployment:
        world.define(*flows)
        return Deployment(world, database_url)

    return deploy


@pytest.fixture
def triggers(database: Any) -> Triggers:
    return Triggers(database)


def runs(sql: Session) -> list[tuple[Any, ...]]:
    return sql("select flow_slug, status, input from pgflow.runs order by id")


def test_a_run_starts_the_next_and_its_failure_starts_another(
    deployed: Callable[..., Deployment], triggers: Triggers, sql: Session
) -> None:
    here = deployed(
        Flow("order").step("charge", handler="same"),
        Flow("report").step("write", handler="fails"),
        Flow("alarm").step("ring", handler="same"),
    )
    triggers.create(
        "report_orders",
        "run.completed",
        "report",
        source_flow="order",
        condition="event.output.charge.sum > 10",
        input={"sum": "$event.output.charge.sum"},
    )
    triggers.create("on_failure", "run.failed", "alarm", input={"why": "$event.error"})
    here.world.run("order", HANDLERS, {"sum": 5})
    here.world.run("order", HANDLERS, {"sum": 50})
    here.settle()
    *orders, report, alarm = runs(sql)
    assert [(slug, status) for slug, status, _ in orders] == [("order", "completed")] * 2
    assert report == ("report", "failed", {"sum": 50})
    assert alarm[:2] == ("alarm", "completed")
    assert "no \ufffd luck" in alarm[2]["why"]
    assert [tags[TAG_TRIGGER] for tags in here.tags] == ["report_orders", "on_failure"]
    found = sql("select trigger_name, outcome from pgflow.trigger_outcomes order by event_id")
    assert sorted(found) == [
        ("on_failure", "fired"),
        ("report_orders", "fired"),
        ("report_orders", "not_met"),
    ]


def test_rebuilding_the_tables_starts_nothing_again(
    deployed: Callable[..., Deployment], triggers: Triggers, sql: Session
) -> None:
    here = deployed(Flow("a").step("s", handler="same"), Flow("b").step("s", handler="same"))
    here.world.run("a", HANDLERS, {"n": 1})
    here.settle()
    triggers.create("t", "run.completed", "b", source_flow="a")
    here.world.run("a", HANDLERS, {"n": 2})
    here.settle()
    before = runs(sql)
    assert [slug for slug, _, _ in before] == ["a", "a", "b"]
    here.world.look_again()
    here.settle()
    assert runs(sql) == before


def test_a_large_output_is_handed_on_whole(
    deployed: Callable[..., Deployment], triggers: Triggers, sql: Session
) -> None:
    here = deployed(Flow("a").step("s", handler="large"), Flow("b").step("s", handler="same"))
    triggers.create("t", "run.completed", "b", source_flow="a", input="$event.output.s")
    here.world.run("a", HANDLERS)
    here.settle()
    assert sql("select status, length(output #>> '{s,text}') from pgflow.runs order by id") == [
        ("completed", 10_000_000),
        ("completed", 10_000_000),
    ]


def test_a_run_that_asks_starts_a_flow_that_tells_somebody(
    deployed: Callable[..., Deployment], triggers: Triggers, sql: Session
) -> None:
    here = deployed(
        Flow("expense").approval("ask", prompt="May ${$input.name} spend it?"),
        Flow("mail").step("send", handler="same"),
    )
    triggers.create(
        "tell",
        "step.waiting",
        "mail",
        input={"text": "$event.prompt", "run": "$event.run_id", "step": "$event.step"},
    )
    asking = here.world.run("expense", HANDLERS, {"name": "Ann"})
    here.world.project()
    assert [asked.job_name for asked in here.tick("requests").run_requests] == ["mail"]
    told = {"text": "May Ann spend it?", "run": str(asking), "step": "ask"}
    assert runs(sql) == [("expense", "waiting", {"name": "Ann"}), ("mail", "queued", told)]


def test_a_chain_of_signals_counts_the_runs_whose_handlers_send_them(
    deployed: Callable[..., Deployment], triggers: Triggers, sql: Session
) -> None:
    here = deployed(Flow("count").step("s", handler="counts_on"))
    triggers.create("t", "signal", "count", signal_name="next", condition="event.payload.n < 4")
    first = here.world.run("count", HANDLERS, {"n": 1})
    here.settle()
    depths = "select trigger_depth from pgflow.run_requests order by created_at"
    assert sql.column(depths) == [1, 2]
    senders = sql.column("select sent_from::text from pgflow.signals order by signal_id")
    asked = sql.column("select run_id::text from pgflow.run_requests order by created_at")
    assert senders == [str(first), *asked]


def materialize(instance: dg.DagsterInstance, key: str, **metadata: Any) -> str:
    """Materializes an asset, as any job of a deployment does, and returns the run."""
    asset_key = dg.AssetKey.from_user_string(key)

    @dg.op
    def make(context: dg.OpExecutionContext) -> None:
        context.log_event(
            dg.AssetMaterialization(asset_key, partition="2026-01-01", metadata=metadata)
        )

    @dg.job
    def making() -> None:
        make()

    return making.execute_in_process(instance=instance).run_id


def test_an_asset_that_is_materialized_starts_a_flow_once(
    deployed: Callable[..., Deployment], triggers: Triggers, sql: Session
) -> None:
    here = deployed(Flow("load").step("s", handler="same"))
    instance = here.world.instance
    materialize(instance, "raw/orders", rows=1)
    triggers.create("t", "asset.materialized", "load", asset_key="raw/orders")
    run_id = materialize(instance, "raw/orders", rows=dg.MetadataValue.int(7), text="ü", x=1.5)
    materialize(instance, "raw/other")
    for _ in range(2):
        here.tick("asset_events")
        here.settle()
    [(slug, status, event)] = runs(sql)
    assert (slug, status) == ("load", "completed")
    moment = event.pop("timestamp")
    assert abs(datetime.now(UTC).timestamp() - moment) < 3600
    assert event == {
        "type": "asset.materialized",
        "asset_key": "raw/orders",
        "partition": "2026-01-01",
        "metadata": {"rows": 7, "text": "ü", "x": 1.5},
        "run_id": run_id,
    }


def test_many_materializations_are_read_in_ticks_and_none_is_lost(
    deployed: Callable[..., Deployment],
    triggers: Triggers,
    sql: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asset_sensor, "ENTRIES_PER_TICK", 4)
    monkeypatch.setattr(asset_sensor, "ENTRIES_AT_A_TIME", 3)
    here = deployed(Flow("load").step("s", handler="same"))
    triggers.create("t", "asset.materialized", "load", asset_key="raw")
    for _ in range(10):
        materialize(here.world.instance, "raw")
    counts = []
    for _ in range(4):
        here.tick("asset_events")
        counts.append(sql.value("select count(*) from pgflow.trigger_events"))
    assert counts == [4, 8, 10, 10]


def test_an_entry_that_shows_late_is_found_although_later_ones_were_read(
    deployed: Callable[..., Deployment], triggers: Triggers, sql: Session
) -> None:
    here = deployed(Flow("load").step("s", handler="same"))
    triggers.create("t", "asset.materialized", "load", asset_key="raw")
    materialize(here.world.instance, "raw")
    here.tick("asset_events")
    # What is younger than a minute is read again, so it does not count as read.
    assert sql("select storage_id from pgflow.asset_cursors") == [(None,)]
    sql("delete from pgflow.trigger_events")
    here.tick("asset_events")
    assert sql.value("select count(*) from pgflow.trigger_events") == 1


def test_without_triggers_on_assets_nothing_is_read(
    deployed: Callable[..., Deployment], sql: Session
) -> None:
    here = deployed(Flow("load").step("s", handler="same"))
    assert "No trigger" in here.tick("asset_events").skip_message
    assert sql("select from pgflow.asset_cursors") == []


def test_metadata_that_nobody_could_read_is_left_out_and_told(database: Any) -> None:
    deep: Any = []
    for _ in range(200):
        deep = [deep]
    noted = Materialization("k", 1, 0.0, "r", None, {"deep": deep, "n": 10**3000})
    told = noted.noted()["event"]["metadata"]
    assert all(str(value).startswith("(left out: ") for value in told.values())
    assert AssetEvents(database).note([noted]) == 0

"""Materializations of assets, and the triggers that look at them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Connection, text

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store import asset_events
from dagster_pgflow.store.asset_events import AssetEvents, Materialization
from dagster_pgflow.store.triggers import Triggers
from dagster_pgflow.triggers import asset_sensor
from tests.execution.projecting import world
from tests.execution.triggered import Deployment, deployed, runs, triggers
from tests.postgres import Session

__all__ = ["deployed", "triggers", "world"]

ENTRIES = "run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition"
COPIES = f"""
    with recursive copies (n) as (select 2 union all select n + 1 from copies where n < :count)
    insert into event_logs ({ENTRIES})
    select {ENTRIES}
    from (select * from event_logs where asset_key is not null order by id desc limit 1), copies
    where n <= :count
"""


def materialize(instance: dg.DagsterInstance, key: str, count: int = 1, **metadata: Any) -> str:
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

    run_id = making.execute_in_process(instance=instance).run_id
    if count > 1:
        with log_of(instance) as log:
            log.execute(text(COPIES), {"count": count})
    return run_id


@contextmanager
def log_of(instance: dg.DagsterInstance) -> Iterator[Connection]:
    """Yields the database that has Dagster's log."""
    with instance.event_log_storage.index_connection() as log:  # type: ignore[attr-defined]
        yield log


@contextmanager
def late_entry(instance: dg.DagsterInstance) -> Iterator[None]:
    """Keeps the first materialization from being seen, as a transaction does that is slow."""
    first = "select min(id) from event_logs where asset_key is not null"
    with log_of(instance) as log:
        log.execute(text(f"create table late as select * from event_logs where id = ({first})"))
        log.execute(text(f"delete from event_logs where id = ({first})"))
    yield
    with log_of(instance) as log:
        log.execute(text("insert into event_logs select * from late"))
        log.execute(text("drop table late"))


def noted(sql: Session) -> int:
    count: int = sql.value("select count(*) from pgflow.trigger_events")
    return count


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
    for key in ("raw", "other"):
        triggers.create(key, "asset.materialized", "load", asset_key=key)
    materialize(here.world.instance, "raw", 10)
    materialize(here.world.instance, "other")
    here.tick("asset_events")
    assert noted(sql) == 4
    counts = []
    for _ in range(5):
        here.tick("asset_events")
        counts.append(noted(sql))
    assert counts == [7, 10, 11, 11, 11]


def test_a_late_entry_is_found_whatever_was_read_behind_it(
    deployed: Callable[..., Deployment],
    triggers: Triggers,
    sql: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asset_sensor, "ENTRIES_PER_TICK", 500)
    here = deployed(Flow("load").step("s", handler="same"))
    triggers.create("t", "asset.materialized", "load", asset_key="raw")
    materialize(here.world.instance, "raw", 1200)
    with late_entry(here.world.instance):
        for _ in range(4):
            here.tick("asset_events")
        assert noted(sql) == 1199
    for _ in range(4):
        here.tick("asset_events")
    assert noted(sql) == 1200
    assert sql.value("select count(*) from pgflow.trigger_outcomes") == 1200


def test_what_is_settled_is_not_read_again(
    deployed: Callable[..., Deployment],
    triggers: Triggers,
    sql: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = deployed(Flow("load").step("s", handler="same"))
    triggers.create("t", "asset.materialized", "load", asset_key="raw")
    materialize(here.world.instance, "raw", 3)
    here.tick("asset_events")
    assert sql("select storage_id, begun_at from pgflow.asset_cursors") == [(None, None)]
    monkeypatch.setattr(asset_events, "SETTLED", timedelta(0))
    here.tick("asset_events")
    with late_entry(here.world.instance):
        [(settled, mark)] = sql("select storage_id, mark from pgflow.asset_cursors")
    assert (settled > 1, mark) == (True, None)
    sql("delete from pgflow.trigger_events")
    here.tick("asset_events")
    assert noted(sql) == 0


def test_a_dagster_that_begins_anew_is_read_from_the_beginning_of_its_log(
    deployed: Callable[..., Deployment],
    triggers: Triggers,
    sql: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asset_events, "SETTLED", timedelta(0))
    here = deployed(Flow("load").step("s", handler="same"))
    triggers.create("t", "asset.materialized", "load", asset_key="raw")
    materialize(here.world.instance, "raw", 30)
    for _ in range(3):
        here.tick("asset_events")
    assert noted(sql) == 30
    with dg.DagsterInstance.ephemeral() as anew:
        here.move_to(anew)
        materialize(anew, "raw", 2)
        here.tick("asset_events")
    assert noted(sql) == 32


def test_an_asset_that_cannot_be_read_keeps_no_other_waiting(
    deployed: Callable[..., Deployment],
    triggers: Triggers,
    sql: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = deployed(Flow("load").step("s", handler="same"))
    for key in ("broken", "raw"):
        triggers.create(key, "asset.materialized", "load", asset_key=key)
        materialize(here.world.instance, key)
    read = asset_sensor._materialization

    def fails_for_one(key: str, record: dg.EventLogRecord) -> Materialization:
        if key == "broken":
            raise RuntimeError("no such asset")
        return read(key, record)

    monkeypatch.setattr(asset_sensor, "_materialization", fails_for_one)
    for _ in range(2):
        here.tick("asset_events")
    keys = "select content ->> 'asset_key' from pgflow.trigger_events order by event_id"
    assert sql.column(keys) == ["raw"]
    monkeypatch.undo()
    here.tick("asset_events")
    assert sql.column(keys) == ["raw", "broken"]


def test_metadata_that_is_no_json_is_left_out_and_the_event_counts(
    deployed: Callable[..., Deployment], triggers: Triggers, sql: Session
) -> None:
    here = deployed(Flow("load").step("s", handler="same"))
    triggers.create("t", "asset.materialized", "load", asset_key="raw")
    columns = [dg.TableColumn("a", "int")]
    said: dict[str, Any] = {
        "dagster/column_schema": dg.TableSchema(columns),
        "lineage": dg.TableColumnLineage({"a": [dg.TableColumnDep(dg.AssetKey("x"), "b")]}),
        "rows": dg.MetadataValue.table([dg.TableRecord({"a": 1})], dg.TableSchema(columns)),
        "of": dg.AssetKey(["raw", "x"]),
        "job": dg.MetadataValue.job("j", location_name="l"),
        "none": None,
    }
    materialize(here.world.instance, "raw", **said)
    here.tick("asset_events")
    assert sql.value("select content -> 'metadata' from pgflow.trigger_events") == {
        "dagster/column_schema": "(left out: a TableSchemaMetadataValue is no JSON)",
        "lineage": "(left out: a TableColumnLineageMetadataValue is no JSON)",
        "rows": [{"a": 1}],
        "of": "raw/x",
        "job": "(left out: a DagsterJobMetadataValue is no JSON)",
        "none": None,
    }


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

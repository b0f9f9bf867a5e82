"""Events in memory are stored as Dagster stores them, with less work."""

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dagster as dg
import pytest
from dagster import AssetMaterialization, DagsterEvent, DagsterEventType, EventLogEntry
from dagster._core.events import EngineEventData, StepMaterializationData
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from sqlalchemy import text

from dagster_pgflow.in_process import instances
from dagster_pgflow.in_process.instances import EventsInMemory, instance_in_memory

RUN = "8b2c4c1c-0d0a-4c43-9a3e-0f3a3b1f0c11"


def entry(event: DagsterEvent | None = None, timestamp: float = 1_700_000_000.25) -> EventLogEntry:
    return EventLogEntry(  # type: ignore[no-untyped-call]
        error_info=None,
        level=logging.INFO,
        user_message="A quote ' and a \x00 and \N{SNOWMAN}",
        run_id=RUN,
        timestamp=timestamp,
        step_key="a.b[?]",
        job_name="f",
        dagster_event=event,
    )


def engine_event() -> DagsterEvent:
    return DagsterEvent(
        DagsterEventType.ENGINE_EVENT.value, "f", event_specific_data=EngineEventData()
    )


def materialization() -> DagsterEvent:
    found = AssetMaterialization("stock", partition="2026", tags={"a": "b"})
    return DagsterEvent(
        DagsterEventType.ASSET_MATERIALIZATION.value,
        "f",
        step_key="count",
        event_specific_data=StepMaterializationData(found),
    )


def storage_of(instance: dg.DagsterInstance) -> EventsInMemory:
    storage = instance.event_log_storage
    assert isinstance(storage, EventsInMemory)
    return storage


def rows(instance: dg.DagsterInstance) -> list[tuple[Any, ...]]:
    columns = "run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition"
    with storage_of(instance)._connect() as connection:
        return [tuple(row) for row in connection.execute(text(f"select {columns} from event_logs"))]


@pytest.mark.parametrize(
    "stored",
    [
        entry(),
        entry(timestamp=1_700_000_000.0),
        entry(engine_event()),
        entry(materialization()),
    ],
    ids=["a line", "a whole second", "an event", "an asset"],
)
def test_an_event_is_stored_as_dagster_stores_it(stored: EventLogEntry) -> None:
    with instance_in_memory() as instance:
        SqlEventLogStorage.store_event(storage_of(instance), stored)
        instance.event_log_storage.store_event(stored)
        [theirs, ours] = rows(instance)
        assert ours == theirs
        first, second = instance.all_logs(RUN)
        assert first == second == stored


def test_whoever_watches_is_told() -> None:
    told = []
    with instance_in_memory() as instance:
        storage = instance.event_log_storage
        storage.watch(RUN, None, lambda event, cursor: told.append((event, cursor)))
        storage.store_event(entry())
    assert [event for event, _ in told] == [entry()]


def test_threads_store_and_read_at_once() -> None:
    with instance_in_memory() as instance, ThreadPoolExecutor(8) as threads:

        def work(_: int) -> None:
            instance.event_log_storage.store_event(entry(engine_event()))
            instance.all_logs(RUN)

        list(threads.map(work, range(64)))
        assert len(instance.all_logs(RUN)) == 64


def test_with_a_dagster_that_it_was_not_tried_with_dagster_makes_the_instance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dg, "__version__", "1.14.0")
    monkeypatch.setattr(instances, "EventsInMemory", None)
    monkeypatch.setattr(instances, "RunsInMemory", None)
    with instance_in_memory() as instance:
        assert instance.is_ephemeral
        assert instance.get_runs_count() == 0

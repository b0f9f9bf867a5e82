"""The records of one run in Dagster's event log: whoever reads a log gets them here."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import dagster as dg

EVENTS_PER_PAGE: Final = 5000


def records_of(
    instance: dg.DagsterInstance,
    run_id: str,
    types: Collection[dg.DagsterEventType],
    when_long: Callable[[], None] = lambda: None,
    since: str | None = None,
) -> tuple[list[dg.EventLogRecord], str]:
    """Return the records of some types, and where in the log the reading ended.

    They come in the order in which Dagster wrote them, each once, however they arrived.

    Args:
        instance: The Dagster instance.
        run_id: The run.
        types: The types of events.
        when_long: Is called when one page does not hold them.
        since: Where an earlier reading ended; without it, all of them.
    """
    wanted = set(types)
    records: list[dg.EventLogRecord] = []
    position = since
    while True:
        page = instance.get_records_for_run(run_id, position, of_type=wanted, limit=EVENTS_PER_PAGE)
        records += page.records
        position = page.cursor
        if not page.has_more:
            by_number = {record.storage_id: record for record in records}
            return [by_number[number] for number in sorted(by_number)], position
        if len(records) == EVENTS_PER_PAGE:
            when_long()


def has_records_since(
    instance: dg.DagsterInstance,
    run_id: str,
    position: str,
    types: Collection[dg.DagsterEventType],
) -> bool:
    """Return whether a log has records of some types behind the end of a reading."""
    page = instance.get_records_for_run(run_id, position, of_type=set(types), limit=1)
    return bool(page.records)


def has_engine_event(instance: dg.DagsterInstance, run_id: str, key: str) -> bool:
    """Return whether a log has an engine event with metadata under a key."""
    return engine_metadata(instance, run_id, key) is not None


def engine_metadata(
    instance: dg.DagsterInstance, run_id: str, key: str
) -> Mapping[str, Any] | None:
    """Return the metadata of the last engine event in a log that has some under a key."""
    records, _ = records_of(instance, run_id, [dg.DagsterEventType.ENGINE_EVENT])
    events = (record.event_log_entry.dagster_event for record in reversed(records))
    found = (event.engine_event_data.metadata for event in events if event is not None)
    return next((metadata for metadata in found if key in metadata), None)

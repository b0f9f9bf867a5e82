"""Finds the runs of our flows in Dagster, new ones and changed ones."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import dagster as dg

from dagster_pgflow.model.run_cursor import FoundRun
from dagster_pgflow.names import TAG_RUN_ID, TAG_STORE, child_run_path
from dagster_pgflow.projection.sources import Sources

_log = logging.getLogger(__name__)

CURSOR: Final = "runs"
RUNS_PER_PAGE: Final = 500
OVERLAP: Final = timedelta(minutes=10)
"""How far back each search looks, because changes become visible out of order."""

DEEP_OVERLAP: Final = timedelta(hours=26)
DEEP_EVERY: Final = timedelta(minutes=15)
"""Now and then a search looks a day back: Dagster dates a change by the clock of the process that
made it, and with a PostgreSQL whose time zone has summer time an hour comes twice."""


def discover(
    instance: dg.DagsterInstance,
    sources: Sources,
    *,
    from_the_start: bool = False,
    log: logging.Logger = _log,
) -> None:
    """Put the runs that are new or changed since the last search on the list to look at.

    Args:
        instance: The Dagster instance.
        sources: The store.
        from_the_start: Whether to go through all runs, however old.
        log: Where it is told which runs cannot be read.
    """
    tables = sources.tables
    tags = {TAG_STORE: str(sources.definitions.store_id())}
    position = dict(tables.position(CURSOR) or {})
    clock = tables.clock()
    deep = from_the_start or _is_deep_search_due(position, clock)
    since = None if from_the_start else _begin(position, OVERLAP if not deep else DEEP_OVERLAP)
    limit = RUNS_PER_PAGE
    while True:
        wanted = dg.RunsFilter(tags=tags, updated_after=since)
        records, is_last = _page(instance, wanted, limit, log)
        if records:
            newest = records[-1].update_timestamp
            known = position.get("changed_at")
            if known is None or newest > datetime.fromisoformat(known):
                position["changed_at"] = newest.isoformat()
        if is_last and deep:
            position["deep_at"] = clock.isoformat()
        if records or deep:
            found = [_found(record) for record in records if not _is_inside_another(record)]
            tables.register(found, CURSOR, position)
        if is_last:
            return
        # A page that ends amid changes of one moment begins again at that moment.
        following = newest - timedelta(microseconds=1)
        if since is not None and following <= since:
            limit *= 2
        since = following


def _page(
    instance: dg.DagsterInstance, wanted: dg.RunsFilter, limit: int, log: logging.Logger
) -> tuple[Sequence[dg.RunRecord], bool]:
    """Return the runs that changed first, and whether these are all.

    One run that Dagster cannot read, for what somebody typed into the launchpad, keeps it from
    reading any: then they are read one by one, without that one.
    """
    try:
        records = instance.get_run_records(
            wanted, limit=limit, order_by="update_timestamp", ascending=True
        )
    except Exception as error:
        run_ids = instance.get_run_ids(wanted)
        readable = [record for run_id in run_ids if (record := _read(instance, run_id, log))]
        if not readable:
            raise
        log.debug("Read the runs one by one.", exc_info=error)
        return sorted(readable, key=lambda record: record.update_timestamp), True
    return records, len(records) < limit


def _read(instance: dg.DagsterInstance, run_id: str, log: logging.Logger) -> dg.RunRecord | None:
    try:
        return next(iter(instance.get_run_records(dg.RunsFilter(run_ids=[run_id]))), None)
    except Exception as error:  # noqa: BLE001  whatever Dagster stumbles over
        log.warning("Dagster cannot read its run %s, and so it has no rows: %s", run_id, error)
        return None


def _is_deep_search_due(position: dict[str, Any], clock: datetime) -> bool:
    last = position.get("deep_at")
    return last is None or clock - datetime.fromisoformat(last) > DEEP_EVERY


def _begin(position: dict[str, Any], overlap: timedelta) -> datetime | None:
    known = position.get("changed_at")
    return None if known is None else datetime.fromisoformat(known) - overlap


def _is_inside_another(record: dg.RunRecord) -> bool:
    """Say whether a run is a subrun of another one, which is read together with that."""
    run = record.dagster_run
    return child_run_path(run.run_id, run.tags) is not None


def _found(record: dg.RunRecord) -> FoundRun:
    run = record.dagster_run
    requested = None if run.parent_run_id else _uuid(run.tags.get(TAG_RUN_ID))
    return FoundRun(UUID(run.run_id), requested, record.update_timestamp)


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None

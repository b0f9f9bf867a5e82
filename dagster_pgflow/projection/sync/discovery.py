"""Puts the runs of our flows that are new or changed on the list of runs to look at."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import dagster as dg

from dagster_pgflow.dagster_log.changed_runs import changed_runs
from dagster_pgflow.dagster_log.which_log import log_of
from dagster_pgflow.projection.sync.store import ProjectionStore

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
    store: ProjectionStore,
    *,
    from_the_start: bool = False,
    log: logging.Logger = _log,
) -> None:
    """Put the runs that are new or changed since the last search on the list to look at.

    Args:
        instance: The Dagster instance.
        store: The store.
        from_the_start: Whether to go through all runs, however old.
        log: Where it is said which runs cannot be read.
    """
    tables = store.tables
    store_id = store.definitions.store_id()
    own_log = log_of(instance)
    if own_log is not None:
        tables.see(own_log)
    cursor = CURSOR if own_log is None else f"{CURSOR} of {own_log}"
    # Where only the older name has one, it was written before Dagsters were told apart.
    position = dict(tables.position(cursor) or tables.position(CURSOR) or {})
    clock = tables.clock()
    deep = from_the_start or _is_deep_search_due(position, clock)
    since = None if from_the_start else _begin(position, OVERLAP if not deep else DEEP_OVERLAP)
    limit = RUNS_PER_PAGE
    while True:
        changed = changed_runs(instance, store_id, since, limit, log)
        if changed.newest is not None:
            known = position.get("changed_at")
            if known is None or changed.newest > datetime.fromisoformat(known):
                position["changed_at"] = changed.newest.isoformat()
        if changed.is_last and deep:
            position["deep_at"] = clock.isoformat()
        if changed.newest is not None or deep:
            tables.register(changed.found, cursor, position)
        if changed.is_last or changed.newest is None:
            return
        # A page that ends amid changes of one moment begins again at that moment.
        following = changed.newest - timedelta(microseconds=1)
        if since is not None and following <= since:
            limit *= 2
        since = following


def _is_deep_search_due(position: Mapping[str, Any], clock: datetime) -> bool:
    last = position.get("deep_at")
    return last is None or clock - datetime.fromisoformat(last) > DEEP_EVERY


def _begin(position: Mapping[str, Any], overlap: timedelta) -> datetime | None:
    known = position.get("changed_at")
    return None if known is None else datetime.fromisoformat(known) - overlap

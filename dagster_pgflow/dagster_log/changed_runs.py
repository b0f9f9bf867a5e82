"""Which runs are new or have changed: those of our flows, by the tag of their store."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import dagster as dg

from dagster_pgflow.dagster_log.which_log import log_of
from dagster_pgflow.model.run_cursor import FoundRun
from dagster_pgflow.names import (
    TAG_RUN_ID,
    TAG_RUN_KEY,
    TAG_STORE,
    child_run_path,
    continuation_of,
    older_key,
)


@dataclass(frozen=True)
class ChangedRuns:
    """Runs that have changed, those first that changed first.

    Attributes:
        found: The runs; one inside another one is read together with that, and left out. So is one
            that was made for a request and that nobody has submitted: the request still waits, and
            whoever takes it comes upon the run.
        newest: When the last one of them changed, those left out included.
        is_last: Whether there are no others.
    """

    found: Sequence[FoundRun]
    newest: datetime | None
    is_last: bool


def changed_runs(
    instance: dg.DagsterInstance,
    store_id: UUID,
    since: datetime | None,
    limit: int,
    log: logging.Logger,
) -> ChangedRuns:
    """Return the runs of a store that have changed.

    One run that Dagster cannot read, for what somebody typed into the launchpad, keeps it from
    reading any: then they are read one by one, without that one.

    Args:
        instance: The Dagster instance.
        store_id: The store.
        since: After which moment they changed; `None` for all.
        limit: How many runs to return at most.
        log: Where it is said which runs cannot be read.
    """
    pages = [
        _page(instance, dg.RunsFilter(tags={key: str(store_id)}, updated_after=since), limit, log)
        for key in (TAG_STORE, older_key(TAG_STORE))
    ]
    # Behind the end of a page that is not the last one, others may be missing.
    ends = [records[-1].update_timestamp for records, is_last in pages if not is_last]
    records = sorted(
        (one for records, _ in pages for one in records if not ends or _moment(one) <= min(ends)),
        key=_moment,
    )
    own_log = log_of(instance)
    return ChangedRuns(
        found=[found_run(record, own_log) for record in records if _is_to_be_read(record)],
        newest=_moment(records[-1]) if records else None,
        is_last=not ends,
    )


def _page(
    instance: dg.DagsterInstance, wanted: dg.RunsFilter, limit: int, log: logging.Logger
) -> tuple[Sequence[dg.RunRecord], bool]:
    """Return the runs that changed first, and whether there are no others."""
    try:
        records = instance.get_run_records(
            wanted, limit=limit, order_by="update_timestamp", ascending=True
        )
        return records, len(records) < limit
    except Exception as error:
        run_ids = instance.get_run_ids(wanted)
        readable = [record for run_id in run_ids if (record := _read(instance, run_id, log))]
        if not readable:
            raise
        log.debug("Read the runs one by one.", exc_info=error)
        return sorted(readable, key=_moment), True


def _moment(record: dg.RunRecord) -> datetime:
    return record.update_timestamp


def _read(instance: dg.DagsterInstance, run_id: str, log: logging.Logger) -> dg.RunRecord | None:
    try:
        return next(iter(instance.get_run_records(dg.RunsFilter(run_ids=[run_id]))), None)
    except Exception as error:  # noqa: BLE001  whatever Dagster stumbles over
        log.warning("Dagster cannot read its run %s, and so it has no rows: %s", run_id, error)
        return None


def _is_to_be_read(record: dg.RunRecord) -> bool:
    run = record.dagster_run
    awaits_submission = (
        run.status is dg.DagsterRunStatus.NOT_STARTED
        and TAG_RUN_KEY in run.tags
        and run.parent_run_id is None
        and requested_run_id(run) is not None
    )
    return not awaits_submission and child_run_path(run.run_id, run.tags) is None


def found_run(record: dg.RunRecord, own_log: str | None) -> FoundRun:
    """Return a run of Dagster as the list of runs has it.

    Args:
        record: The run.
        own_log: Which Dagster has it; see `log_of`.
    """
    run = record.dagster_run
    requested = None if run.parent_run_id else requested_run_id(run)
    continued = continuation_of(run.run_id, run.tags)
    continues = None if continued is None else continued[0]
    return FoundRun(UUID(run.run_id), requested, record.update_timestamp, continues, own_log)


def requested_run_id(run: dg.DagsterRun) -> UUID | None:
    """Return the `run_id` that a run was asked for under, if it was and that is one."""
    text = run.tags.get(TAG_RUN_ID)
    try:
        return UUID(text) if text else None
    except ValueError:
        return None

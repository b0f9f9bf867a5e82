"""When something last happened in a run, as far as its log says."""

from collections.abc import Iterable
from typing import Final

import dagster as dg

RETRIES_LOOKED_AT: Final = 1000


def last_sign(instance: dg.DagsterInstance, run_ids: Iterable[str]) -> float | None:
    """Return when the last thing happened in runs, or will; `None` when nothing has.

    A delay between two attempts is written into the log beforehand, so the end of it counts.

    Args:
        instance: The Dagster instance.
        run_ids: The runs.

    Returns:
        Seconds since the epoch.
    """
    times: list[float] = []
    for run_id in run_ids:
        page = instance.get_records_for_run(run_id, limit=1, ascending=False)
        times += [record.timestamp for record in page.records]
        retries = instance.get_records_for_run(
            run_id,
            of_type=dg.DagsterEventType.STEP_UP_FOR_RETRY,
            limit=RETRIES_LOOKED_AT,
            ascending=False,
        )
        times += [record.timestamp + _delay_of(record) for record in retries.records]
    return max(times, default=None)


def _delay_of(retry: dg.EventLogRecord) -> float:
    event = retry.event_log_entry.dagster_event
    data = event.event_specific_data if event is not None else None
    return float(getattr(data, "seconds_to_wait", None) or 0.0)

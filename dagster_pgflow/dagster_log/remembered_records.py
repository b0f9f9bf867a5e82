"""The records of runs under way, for one who reads them again and again: only new ones are read."""

import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

import dagster as dg

from dagster_pgflow.dagster_log.event_pages import records_of

VISIBLE_AFTER_S: Final = 2.0
"""After so long a record that was given an id before others is there, if nothing stands still."""

KEPT_S: Final = 30.0
"""How long the records of a run are remembered that nobody reads any more."""


@dataclass
class _Remembered:
    records: dict[int, dg.EventLogRecord] = field(default_factory=dict)
    positions: deque[tuple[float, str]] = field(default_factory=deque)


class RememberedRecords:
    """Reads the records of a run as `records_of` does, but each once, or a few times.

    Dagster gives out ids of events before it commits them, so one that was not there may lie
    before those that were. So what is read anew begins where a reading ended some time ago. A
    record that takes even longer is missing from here: who needs the truth for good reads whole.

    Args:
        instance: The Dagster instance.
    """

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._runs: dict[str, _Remembered] = {}

    def of(
        self,
        run_id: str,
        types: Collection[dg.DagsterEventType],
        when_long: Callable[[], None] = lambda: None,
    ) -> tuple[list[dg.EventLogRecord], str]:
        """Return the records of some types, always the same, and where the reading ended."""
        now = time.monotonic()
        self._forget(now)
        known = self._runs.setdefault(run_id, _Remembered())
        while len(known.positions) > 1 and known.positions[1][0] < now - VISIBLE_AFTER_S:
            known.positions.popleft()
        since = None
        if known.positions and known.positions[0][0] < now - VISIBLE_AFTER_S:
            since = known.positions[0][1]
        new, position = records_of(self._instance, run_id, types, when_long, since)
        known.records |= {record.storage_id: record for record in new}
        known.positions.append((now, position))
        return [known.records[number] for number in sorted(known.records)], position

    def _forget(self, now: float) -> None:
        """Let go of runs that nobody has read for some time."""
        idle = [
            run_id
            for run_id, known in self._runs.items()
            if known.positions and known.positions[-1][0] < now - KEPT_S
        ]
        for run_id in idle:
            del self._runs[run_id]

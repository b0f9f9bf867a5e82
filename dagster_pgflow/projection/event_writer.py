"""Writes the events of one run: numbers, ids that say what they stand for, and what caused what."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

from dagster_pgflow.model.run_state import LogEvent

_EVENT_IDS: Final = uuid5(NAMESPACE_URL, "dagster-pgflow/event_log")


class EventWriter:
    """Writes events one behind the other.

    Attributes:
        written: The events so far.

    Args:
        run_id: The run.
        dagster_run_id: Its id in Dagster.
        at: When the first event happened.
        written: Events to go on from.
    """

    def __init__(
        self, run_id: UUID, dagster_run_id: UUID, at: datetime, written: Iterable[LogEvent] = ()
    ) -> None:
        self.written = list(written)
        self._run_id = run_id
        self._dagster_run_id = str(dagster_run_id)
        self._position = 0
        self._within_position = 0
        self._at = at

    def turn_to(self, position: int, at: datetime) -> None:
        """Say which Dagster event the next events come from."""
        if position != self._position:
            self._within_position = 0
        self._position, self._at = position, at

    def write(
        self,
        event_type: str,
        data: Mapping[str, Any],
        *,
        parent: UUID | None,
        correlation: str | None = None,
    ) -> UUID:
        """Add an event and return its id, which stands for everything that the event says."""
        self._within_position += 1
        content = [
            self._dagster_run_id,
            self._position,
            self._within_position,
            event_type,
            self._at.isoformat(),
            data,
            str(parent),
            correlation,
        ]
        event_id = uuid5(_EVENT_IDS, json.dumps(content, sort_keys=True, separators=(",", ":")))
        number = len(self.written) + 1
        self.written.append(
            LogEvent(
                event_id, self._run_id, number, event_type, self._at, data, parent, correlation
            )
        )
        return event_id

"""Events before they have numbers: what happened, when, and what led to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from dagster_pgflow.model.event_types import EventType


@dataclass(frozen=True, slots=True, eq=False)
class EventDraft:
    """An event before it has a number and an id.

    Attributes:
        turn: Counts the Dagster events that it and others come from.
        position: The number of that Dagster event in the log; 0 when there is none.
        event_type: Its type.
        timestamp: When it happened.
        event_data: What it says.
        cause: What led to it: an event of now, or the id of one that is written already.
        correlation_id: What it is about; `None` for the run.
    """

    turn: int
    position: int
    event_type: EventType
    timestamp: datetime
    event_data: Mapping[str, Any]
    cause: "Cause | None"
    correlation_id: str | None


Cause = EventDraft | UUID
"""What led to an event: another one, or its id when that is written already."""


class EventDrafts:
    """Puts events one behind the other.

    Attributes:
        drafts: The events so far.

    Args:
        at: When the first event happened.
    """

    def __init__(self, at: datetime) -> None:
        self.drafts: list[EventDraft] = []
        self._turn = 0
        self._position = 0
        self._at = at

    def turn_to(self, position: int, at: datetime) -> None:
        """Say which Dagster event the next events come from."""
        if position != self._position:
            self._turn += 1
        self._position, self._at = position, at

    def write(
        self,
        event_type: EventType,
        data: Mapping[str, Any],
        *,
        parent: Cause | None,
        correlation: str | None = None,
    ) -> EventDraft:
        """Add an event and return it."""
        draft = EventDraft(
            self._turn, self._position, event_type, self._at, data, parent, correlation
        )
        self.drafts.append(draft)
        return draft

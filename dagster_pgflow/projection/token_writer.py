"""Writes the events of a run together with what follows from each for its tokens."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from dagster_pgflow.model.run_state import LogEvent
from dagster_pgflow.projection.event_writer import EventWriter
from dagster_pgflow.projection.layout import Layout
from dagster_pgflow.projection.tokens import Tokens


class TokenWriter(EventWriter):
    """Writes events one behind the other, and their tokens with them.

    Args:
        layout: Where everything stands in the run.
        run_id: The run.
        dagster_run_id: Its id in Dagster.
        at: When the first event happened.
        written: Events to go on from, with their tokens.
    """

    def __init__(
        self,
        layout: Layout,
        run_id: UUID,
        dagster_run_id: UUID,
        at: datetime,
        written: Iterable[LogEvent] = (),
    ) -> None:
        super().__init__(run_id, dagster_run_id, at, written)
        self._tokens = Tokens(layout)
        for event in self.written:
            for _known in self._tokens.after(event):
                pass

    def write(
        self,
        event_type: str,
        data: Mapping[str, Any],
        *,
        parent: UUID | None,
        correlation: str | None = None,
    ) -> UUID:
        """Add an event and what follows from it; return the id of the event."""
        for follows in self._tokens.before(event_type):
            super().write(follows.event_type, follows.data, parent=parent, correlation=follows.node)
        event_id = super().write(event_type, data, parent=parent, correlation=correlation)
        for follows in self._tokens.after(self.written[-1]):
            super().write(
                follows.event_type, follows.data, parent=event_id, correlation=follows.node
            )
        return event_id

"""Gives the events of one run their numbers, and ids that stand for all that they say."""

import json
from collections.abc import Iterable
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from dagster_pgflow.model.run_state import LogEvent
from dagster_pgflow.projection.translate.drafts import EventDraft

_EVENT_IDS: Final = uuid5(NAMESPACE_URL, "dagster-pgflow/event_log")
# `json.dumps` would make an encoder for each event.
_JSON: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def numbered(
    run_id: UUID,
    dagster_run_id: UUID,
    drafts: Iterable[EventDraft],
    written: Iterable[LogEvent] = (),
) -> list[LogEvent]:
    """Return the events of a run, numbered from 1.

    What is in an id is never changed: the ids of all events that are stored would change with it.

    Args:
        run_id: The run.
        dagster_run_id: Its id in Dagster.
        drafts: The events, each behind what led to it.
        written: Events to go on from.
    """
    events = list(written)
    in_dagster = str(dagster_run_id)
    ids: dict[EventDraft, UUID] = {}
    turn = within_turn = 0
    for draft in drafts:
        within_turn = within_turn + 1 if draft.turn == turn else 1
        turn = draft.turn
        cause = ids[draft.cause] if isinstance(draft.cause, EventDraft) else draft.cause
        content = [
            in_dagster,
            draft.position,
            within_turn,
            draft.event_type,
            draft.timestamp.isoformat(),
            draft.event_data,
            str(cause),
            draft.correlation_id,
        ]
        event_id = ids[draft] = uuid5(_EVENT_IDS, _JSON.encode(content))
        events.append(
            LogEvent(
                event_id,
                run_id,
                len(events) + 1,
                draft.event_type,
                draft.timestamp,
                draft.event_data,
                cause,
                draft.correlation_id,
            )
        )
    return events

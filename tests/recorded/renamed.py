"""What the event log calls otherwise today than the code did that made a record.

The id of an event stands for all that it says and for what led to it. So where one is called
otherwise, the ids of a run are compared by what they refer to.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from tests.recorded.archive import Row

EVENT_TYPES: Final[Mapping[str | None, str]] = {"loop.pass_started": "loop.iteration_started"}
EVENT_DATA: Final = {'"ends_way":': '"ends_route":'}


def is_renamed(event: Row) -> bool:
    """Return whether an event is called otherwise today."""
    data = event["event_data"] or ""
    return event["event_type"] in EVENT_TYPES or any(name in data for name in EVENT_DATA)


def said_today(event: Row) -> Row:
    """Return an event as it is said today."""
    data = event["event_data"] or ""
    for name, today in EVENT_DATA.items():
        data = data.replace(name, today)
    kind = event["event_type"]
    return {**event, "event_type": EVENT_TYPES.get(kind, kind), "event_data": data}


def by_place(events: Sequence[Row]) -> list[Row]:
    """Return the events of a run with places in place of ids."""
    places = {event["event_id"]: event["sequence_num"] for event in events}
    return [
        {
            **event,
            "event_id": places[event["event_id"]],
            "parent_event_id": event["parent_event_id"] and places[event["parent_event_id"]],
        }
        for event in events
    ]

"""Numbers and ids of events: what they stand for, and what follows from an event for tokens."""

from datetime import timedelta
from uuid import UUID, uuid4

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.run_state import LogEvent
from dagster_pgflow.projection.layout.growing_layout import layout_of
from dagster_pgflow.projection.translate.drafts import EventDrafts
from dagster_pgflow.projection.translate.numbering import numbered
from dagster_pgflow.projection.translate.token_events import with_token_events
from tests.unit.projection.seen_runs import NOON, RUN_ID, Version


def drafts() -> EventDrafts:
    found = EventDrafts(NOON)
    queued = found.write("run.queued", {}, parent=None)
    found.turn_to(7, NOON + timedelta(seconds=1))
    started = found.write("run.started", {}, parent=queued)
    found.write("step.started", {}, parent=started, correlation="a")
    return found


def events(dagster_run_id: UUID = RUN_ID) -> list[LogEvent]:
    return numbered(RUN_ID, dagster_run_id, drafts().drafts)


def test_events_are_numbered_from_one_and_know_what_led_to_them() -> None:
    queued, started, step = events()
    assert [event.sequence_num for event in (queued, started, step)] == [1, 2, 3]
    assert queued.parent_event_id is None
    assert (started.parent_event_id, step.parent_event_id) == (queued.event_id, started.event_id)
    assert (queued.timestamp, step.timestamp) == (NOON, NOON + timedelta(seconds=1))


def test_ids_stand_for_what_events_say_and_for_nothing_else() -> None:
    assert events() == events()
    others = [event.event_id for event in events(uuid4())]
    assert set(others).isdisjoint(event.event_id for event in events())


def test_events_of_one_dagster_event_that_say_the_same_have_ids_of_their_own() -> None:
    found = EventDrafts(NOON)
    first = found.write("step.warned", {}, parent=None, correlation="a")
    found.write("step.warned", {}, parent=None, correlation="a")
    one, other = numbered(RUN_ID, RUN_ID, found.drafts)
    assert first in found.drafts
    assert one.event_id != other.event_id


def test_what_goes_on_from_written_events_is_numbered_behind_them() -> None:
    before = events()
    found = EventDrafts(NOON)
    found.write("run.cancelled", {}, parent=before[0].event_id)
    *known, end = numbered(RUN_ID, RUN_ID, found.drafts, before)
    assert known == before
    assert (end.sequence_num, end.parent_event_id) == (4, before[0].event_id)


def test_tokens_follow_from_the_event_before_them() -> None:
    flow = Flow("f").step("a")
    found = with_token_events(layout_of("f", {"f": Version(flow)}), drafts().drafts)
    queued, emitted, *_ = numbered(RUN_ID, RUN_ID, found)
    assert (emitted.event_type, emitted.parent_event_id) == ("token.emitted", queued.event_id)
    assert emitted.event_data == {"from_node": None, "to_node": "a"}

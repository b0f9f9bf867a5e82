"""Adds to the events of a run what follows from each for its tokens."""

from collections.abc import Iterable, Iterator

from dagster_pgflow.model.run_state import LogEvent
from dagster_pgflow.projection.layout.layout import Layout
from dagster_pgflow.projection.translate.drafts import Cause, EventDraft
from dagster_pgflow.projection.translate.tokens import Consequence, Tokens


def with_token_events(
    layout: Layout, drafts: Iterable[EventDraft], written: Iterable[LogEvent] = ()
) -> Iterator[EventDraft]:
    """Yield events, and around each the events about tokens and nodes that follow from it.

    Args:
        layout: Where everything stands in the run.
        drafts: The events.
        written: Those of the run that are written already, with what followed from them.
    """
    tokens = Tokens(layout)
    for event in written:
        for _known in tokens.after(event):
            pass
    for draft in drafts:
        for follows in tokens.before(draft.event_type):
            yield _follows(follows, draft, draft.cause)
        yield draft
        for follows in tokens.after(draft):
            yield _follows(follows, draft, draft)


def _follows(follows: Consequence, draft: EventDraft, cause: Cause | None) -> EventDraft:
    return EventDraft(
        draft.turn,
        draft.position,
        follows.event_type,
        draft.timestamp,
        follows.data,
        cause,
        follows.node,
    )

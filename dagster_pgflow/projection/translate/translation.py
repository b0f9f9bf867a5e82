"""From what Dagster saw of a run to our event log: pure, and the same every time.

Dagster knows its own steps and the run. What it does not know is derived here: when a task
begins and ends, when a map step is through with all its batches, when a subrun starts and how it
ends, and that everything unfinished is cancelled when its run is over.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from dagster_pgflow.dagster_log.run_events import RunEvent, RunFacts
from dagster_pgflow.model.defaults import input_of_run
from dagster_pgflow.model.run_state import LogEvent
from dagster_pgflow.projection.layout.layout import Layout, PinnedTree
from dagster_pgflow.projection.translate.cut_off import with_cut_off
from dagster_pgflow.projection.translate.drafts import EventDrafts
from dagster_pgflow.projection.translate.lookahead import with_lookahead
from dagster_pgflow.projection.translate.numbering import numbered
from dagster_pgflow.projection.translate.run_lifecycle import RunLifecycle
from dagster_pgflow.projection.translate.token_events import with_token_events
from dagster_pgflow.projection.translate.tokens import RUN_ENDS
from dagster_pgflow.projection.translate.translator import Translator


def translate(
    facts: RunFacts, tree: PinnedTree, layout: Layout, run_events: Iterable[RunEvent]
) -> list[LogEvent]:
    """Return the event log of a run.

    Args:
        facts: What is known about the run beforehand.
        tree: Its flow and every flow that it contains, at the versions that it runs.
        layout: The layout of that tree, with the items that are announced in the run_events.
        run_events: What Dagster saw, in order; those of steps taken over from the run that this
            one re-executes come first.
    """
    drafts = EventDrafts(facts.created_at)
    pinned = tree[facts.flow_slug]
    queued = {
        "flow_slug": facts.flow_slug,
        "flow_version": pinned.version,
        "version_id": pinned.version_id,
        "watermark": facts.watermark,
        "dagster_run_id": str(facts.dagster_run_id),
        "retry_of": str(facts.retry_of) if facts.retry_of else None,
        "input": input_of_run(pinned.flow.input_schema, facts.input),
    }
    run_queued = drafts.write("run.queued", queued, parent=None)
    translator = Translator(layout, RunLifecycle(layout, drafts, run_queued), facts.max_recoveries)
    seen = with_cut_off(facts.flow_slug, tree, layout, run_events)
    for run_event, lookahead in with_lookahead(seen):
        # What is taken over from another run happened before this one.
        if not run_event.is_reused:
            drafts.turn_to(run_event.position, run_event.at)
        translator.take(run_event, lookahead)
    events = with_token_events(layout, drafts.drafts)
    return numbered(facts.run_id, facts.dagster_run_id, events)


def cut_short(
    layout: Layout, events: Sequence[LogEvent], at: datetime, reason: str
) -> list[LogEvent]:
    """Return the event log of a run that Dagster knows no more, with a truthful end.

    Args:
        layout: The layout of the run.
        events: Its event log so far; one that has an end is returned as it is.
        at: When the loss was noticed.
        reason: One sentence about it.
    """
    if events[-1].event_type in RUN_ENDS:
        return list(events)
    queued = events[0]
    dagster_run_id = UUID(queued.event_data["dagster_run_id"])
    drafts = EventDrafts(at)
    lifecycle = RunLifecycle(layout, drafts, queued.event_id)
    lifecycle.resume(events)
    lifecycle.end_run("cancelled", reason)
    following = with_token_events(layout, drafts.drafts, events)
    return numbered(queued.run_id, dagster_run_id, following, events)

"""From what Dagster saw of a run to our event log: pure, and the same every time.

Dagster tells of its own steps and of the run. What it does not tell is derived here: when a task
begins and ends, when a map step is through with all its batches, when a subrun starts and how it
ends, and that everything unfinished is cancelled when its run is over.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from dagster_pgflow.model.defaults import input_of_run
from dagster_pgflow.model.run_state import LogEvent
from dagster_pgflow.projection.layout import Layout, PinnedTree
from dagster_pgflow.projection.narrator import Narrator
from dagster_pgflow.projection.outlook import with_outlook
from dagster_pgflow.projection.sightings import RunFacts, Sighting
from dagster_pgflow.projection.token_writer import TokenWriter
from dagster_pgflow.projection.tokens import RUN_ENDS
from dagster_pgflow.projection.unfolding import Unfolding


def narrate(
    facts: RunFacts, tree: PinnedTree, layout: Layout, sightings: Iterable[Sighting]
) -> list[LogEvent]:
    """Return the event log of a run.

    Args:
        facts: What is known about the run beforehand.
        tree: Its flow and every flow that it contains, at the versions that it runs.
        layout: The layout of that tree, with the items that are announced in the sightings.
        sightings: What Dagster saw, in order; those of steps taken over from the run that this
            one re-executes come first.
    """
    writer = TokenWriter(layout, facts.run_id, facts.dagster_run_id, facts.created_at)
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
    run_queued = writer.write("run.queued", queued, parent=None)
    narrator = Narrator(layout, Unfolding(layout, writer, run_queued))
    for sighting, outlook in with_outlook(sightings):
        # What is taken over from another run happened before this one.
        if not sighting.is_reused:
            writer.turn_to(sighting.position, sighting.at)
        narrator.tell(sighting, outlook)
    return writer.written


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
    writer = TokenWriter(layout, queued.run_id, dagster_run_id, at, events)
    unfolding = Unfolding(layout, writer, queued.event_id)
    unfolding.resume(events)
    unfolding.end_run("cancelled", reason)
    return writer.written

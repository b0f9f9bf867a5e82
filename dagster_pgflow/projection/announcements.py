"""How long lists are, as far as that is known: ops that send out their elements announce it."""

from collections.abc import Iterable, Iterator, Mapping

from dagster_pgflow.model.run_state import LogEvent
from dagster_pgflow.projection.layout import RUN_SCOPE, Items, Layout
from dagster_pgflow.projection.outlook import Outcome
from dagster_pgflow.projection.sightings import Sighting


def announced_in(
    layout: Layout, path: str, outcome: Outcome
) -> Iterator[tuple[str, Mapping[str, int]]]:
    """Yield the steps whose elements an op sent out, with how many tasks and batches.

    A subflow step that is not to run has no items, rather than an empty list of them.

    Args:
        layout: The layout of the run.
        path: The step that the op is, or helps.
        outcome: What the op reported.
    """
    scope = layout.steps[path].scope
    for slug, counts in outcome.get("fans_out", {}).items():
        fed = slug if scope == RUN_SCOPE else f"{scope}.{slug}"
        if fed not in layout.steps:
            continue
        if outcome["status"] == "completed" or not layout.steps[fed].has_items:
            yield fed, counts


def items_seen(layout: Layout, sightings: Iterable[Sighting]) -> Items:
    """Return the lists that subflows of a run go over, as Dagster saw them.

    Args:
        layout: The layout of the run, without items.
        sightings: What Dagster saw.
    """
    items: dict[str, int] = {}
    for sighting in sightings:
        path = layout.step_of(sighting.step_key) or layout.helped_by(sighting.step_key)
        if path is None or sighting.outcome is None:
            continue
        for fed, counts in announced_in(layout, path, sighting.outcome):
            if layout.steps[fed].has_items and sighting.kind in ("succeeded", "reused"):
                items.setdefault(fed, counts["tasks"])
    return items


def items_told(layout: Layout, events: Iterable[LogEvent]) -> Items:
    """Return the same from the event log of a run.

    Args:
        layout: The layout of the run, without items.
        events: Its events.
    """
    items: dict[str, int] = {}
    for event in events:
        place = layout.steps.get(str(event.correlation_id))
        if event.event_type == "step.queued" and place is not None and place.has_items:
            items[place.path] = event.event_data["tasks"]
    return items

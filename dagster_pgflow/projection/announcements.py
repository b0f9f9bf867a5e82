"""How long lists and loops are, as far as that is known: the ops that find out announce it."""

from collections.abc import Iterable, Iterator, Mapping

from dagster_pgflow.model.run_state import LogEvent
from dagster_pgflow.projection.laying_out import GrowingLayout
from dagster_pgflow.projection.layout import RUN_SCOPE, Layout, PinnedTree
from dagster_pgflow.projection.outlook import Outcome
from dagster_pgflow.projection.sightings import Sighting


def announced_in(
    layout: Layout | GrowingLayout, path: str, outcome: Outcome
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


def layout_seen(slug: str, tree: PinnedTree, sightings: Iterable[Sighting]) -> Layout:
    """Return the layout of a run, with the lists that its subflows go over as Dagster saw them.

    Args:
        slug: The flow.
        tree: The flow and every flow that it contains.
        sightings: What Dagster saw.
    """
    growing = GrowingLayout(slug, tree)
    for sighting in sightings:
        if sighting.outcome is None or sighting.kind not in ("succeeded", "reused"):
            continue
        path = growing.step_at(sighting.step_key)
        if path is None:
            continue
        for fed, counts in list(announced_in(growing, path, sighting.outcome)):
            growing.add_items(fed, counts["tasks"])
        if sighting.outcome.get("again"):
            loop = growing.scopes[growing.steps[path].scope].step
            growing.add_pass(loop, sighting.outcome["iteration"] + 1)
    return growing.layout()


def layout_told(slug: str, tree: PinnedTree, events: Iterable[LogEvent]) -> Layout:
    """Return the same from the event log of a run.

    Args:
        slug: The flow.
        tree: The flow and every flow that it contains.
        events: The events.
    """
    growing = GrowingLayout(slug, tree)
    for event in events:
        if event.event_type == "step.queued":
            growing.add_items(str(event.correlation_id), event.event_data["tasks"])
        if event.event_type == "loop.iterated" and event.event_data["again"]:
            growing.add_pass(str(event.correlation_id), event.event_data["iteration"] + 1)
    return growing.layout()

"""Shows in Dagster which route a run took: one event in the run's log, which the web UI has.

An event is added once and stays; a tag of the run would be handed on to its re-executions, which
may take another route.
"""

from collections.abc import Sequence
from typing import Final

import dagster as dg

from dagster_pgflow.compat import EngineEventData
from dagster_pgflow.dagster_log.event_pages import has_engine_event
from dagster_pgflow.model.run_state import LogEvent
from dagster_pgflow.names import PATH_KEY

EDGES_SHOWN: Final = 200
SENTENCE_LENGTH: Final = 400

Edge = tuple[str, str, str, str]
"""Where from, where to, how the step ended that it begins at, and the label of the route."""


def show_route(
    instance: dg.DagsterInstance, run: dg.DagsterRun, events: Sequence[LogEvent]
) -> None:
    """Write the path of a run that is over into its log in Dagster, unless it stands there.

    Args:
        instance: The Dagster instance.
        run: The run.
        events: All its events.
    """
    edges = edges_of(events)
    if not edges or has_engine_event(instance, run.run_id, PATH_KEY):
        return
    shown = [
        dg.TableRecord({"from": start, "to": end, "after": after, "label": label})
        for start, end, after, label in edges[:EDGES_SHOWN]
    ]
    instance.report_engine_event(
        _sentence(edges),
        run,
        EngineEventData(
            metadata={PATH_KEY: dg.MetadataValue.table(shown), "edges": len(edges)},
        ),
    )


def edges_of(events: Sequence[LogEvent]) -> list[Edge]:
    """Return the edges that a run took, in their order."""
    emitted = [event.event_data for event in events if event.event_type == "token.emitted"]
    return [
        (
            data["from_node"] or "begin",
            data["to_node"] or "end",
            data.get("status", ""),
            data.get("label", ""),
        )
        for data in emitted
        if data.get("status") != "cancelled"
    ]


def _sentence(edges: Sequence[Edge]) -> str:
    text = f"The path of this run: {', '.join(f'{start} → {end}' for start, end, *_ in edges)}."
    return text if len(text) <= SENTENCE_LENGTH else f"{text[: SENTENCE_LENGTH - 2]} …"

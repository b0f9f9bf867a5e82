"""Shows in Dagster which route a run took: one event in the run's log, which the web UI has.

An event is added once and stays; a tag of the run would be handed on to its re-executions, which
may take another route.
"""

from collections.abc import Sequence
from typing import Final

import dagster as dg

from dagster_pgflow.compat import EngineEventData
from dagster_pgflow.dagster_log.event_pages import engine_metadata
from dagster_pgflow.model.run_state import LogEvent
from dagster_pgflow.names import PATH_KEY

EDGES_SHOWN: Final = 200
SENTENCE_LENGTH: Final = 400
_COUNT: Final = "edges"

Edge = tuple[str, str, str, str]
"""Where from, where to, how the step ended that it begins at, and the label of the route."""


def show_route(
    instance: dg.DagsterInstance, run: dg.DagsterRun, events: Sequence[LogEvent]
) -> None:
    """Write the path of a run that is over into its log in Dagster, unless it stands there.

    That is done as soon as the end is seen. Should the last look at the run find out more, which
    processes that died wrote late, the path is written once more.

    Args:
        instance: The Dagster instance.
        run: The run.
        events: All its events.
    """
    edges = edges_of(events)
    known = engine_metadata(instance, run.run_id, PATH_KEY)
    if not edges or (known is not None and known[_COUNT].value == len(edges)):
        return
    shown = [
        dg.TableRecord({"from": start, "to": end, "after": after, "label": label})
        for start, end, after, label in edges[:EDGES_SHOWN]
    ]
    instance.report_engine_event(
        _sentence(edges),
        run,
        EngineEventData(
            metadata={PATH_KEY: dg.MetadataValue.table(shown), _COUNT: len(edges)},
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

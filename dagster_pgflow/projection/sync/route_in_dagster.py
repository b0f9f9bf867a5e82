"""Shows in Dagster which route a run took: one event in the run's log, which the web UI has.

A step that was skipped lies on the route only where the run went on behind it. What else was
skipped is named apart: a token that came to its end there has taken nobody anywhere.

An event is added once and stays; a tag of the run would be handed on to its re-executions, which
may take another route.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import dagster as dg

from dagster_pgflow.compat import EngineEventData
from dagster_pgflow.dagster_log.event_pages import engine_metadata
from dagster_pgflow.model.run_state import LogEvent
from dagster_pgflow.names import PATH_KEY
from dagster_pgflow.step_path import StepPath

END: Final = "end"
EDGES_SHOWN: Final = 200
SENTENCE_LENGTH: Final = 400
_COUNT: Final = "edges"
_COLUMNS: Final = ("from", "to", "after", "label")

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
    skipped = _skipped_in(events)
    known = engine_metadata(instance, run.run_id, PATH_KEY)
    if not (edges or skipped) or (known is not None and known[_COUNT].value == len(edges)):
        return
    shown = [dg.TableRecord(dict(zip(_COLUMNS, edge, strict=True))) for edge in edges[:EDGES_SHOWN]]
    # Without a record Dagster does not know the columns.
    schema = dg.TableSchema([dg.TableColumn(name) for name in _COLUMNS])
    instance.report_engine_event(
        " ".join(_sentences(edges, _outermost(skipped))),
        run,
        EngineEventData(
            metadata={PATH_KEY: dg.MetadataValue.table(shown, schema), _COUNT: len(edges)},
        ),
    )


def edges_of(events: Sequence[LogEvent]) -> list[Edge]:
    """Return the edges that a run took, in their order, without those that led nowhere.

    An edge to a step that was skipped leads nowhere unless the run went on behind that, and so does
    the one from there to the end of the run, or of what the step lies in.
    """
    taken = list(_edges_in(events))
    nowhere = set(_skipped_in(events))
    # An edge begins behind those that lead to it.
    for start, end, *_ in reversed(taken):
        leads_on = end != END and StepPath(start).below(end) is None
        if leads_on and end not in nowhere:
            nowhere.discard(start)
    return [edge for edge in taken if nowhere.isdisjoint(edge[:2])]


def _edges_in(events: Sequence[LogEvent]) -> Iterator[Edge]:
    emitted = [event.event_data for event in events if event.event_type == "token.emitted"]
    for data in emitted:
        if data.get("status") != "cancelled":
            yield (
                data["from_node"] or "begin",
                data["to_node"] or END,
                data.get("status", ""),
                data.get("label", ""),
            )


def _skipped_in(events: Sequence[LogEvent]) -> list[StepPath]:
    return [
        StepPath(event.correlation_id or "")
        for event in events
        if event.event_type == "step.skipped"
    ]


def _outermost(skipped: Sequence[StepPath]) -> list[StepPath]:
    """Return skipped steps without those that lie in others."""
    among = {path.step for path in skipped}
    return [
        path
        for path in skipped
        if among.isdisjoint(around.step for around in path.from_outside() if around != path)
    ]


def _sentences(edges: Sequence[Edge], skipped: Sequence[str]) -> Iterator[str]:
    """Yield what to say of a run: where it went, and what it left out."""
    if edges:
        path = ", ".join(f"{start} → {end}" for start, end, *_ in edges)
        yield _shortened(f"The path of this run: {path}.")
    if skipped:
        yield _shortened(f"Skipped: {', '.join(skipped)}.")


def _shortened(text: str) -> str:
    return text if len(text) <= SENTENCE_LENGTH else f"{text[: SENTENCE_LENGTH - 2]} …"

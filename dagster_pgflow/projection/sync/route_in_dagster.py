"""Shows in Dagster which route a run took: one event in the run's log, which the web UI has.

A step that was skipped lies on the route only where the run went on behind it. What else was
skipped is named apart: a token that came to its end there has taken nobody anywhere.

An event is added once and stays; a tag of the run would be handed on to its re-executions, which
may take another route.
"""

from collections.abc import Collection, Iterator, Sequence
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
REASONS_SHOWN: Final = 100
_COUNT: Final = "edges"
_WHY: Final = "why"
_COLUMNS: Final = ("from", "to", "after", "label")
_REASON_COLUMNS: Final = ("step", "why")

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
    reasons = _reasons_in(events)
    why = {_WHY: _table(_REASON_COLUMNS, reasons[:REASONS_SHOWN])} if reasons else {}
    instance.report_engine_event(
        " ".join(_sentences(edges, skipped)),
        run,
        EngineEventData(
            metadata={
                **why,
                PATH_KEY: _table(_COLUMNS, edges[:EDGES_SHOWN]),
                _COUNT: len(edges),
            },
        ),
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> dg.TableMetadataValue:
    shown = [dg.TableRecord(dict(zip(columns, row, strict=True))) for row in rows]
    # Without a record Dagster does not know the columns.
    return dg.MetadataValue.table(shown, dg.TableSchema([dg.TableColumn(one) for one in columns]))


def _reasons_in(events: Sequence[LogEvent]) -> list[tuple[str, str]]:
    """Return why steps were skipped, and how the run went on behind others, by their paths."""
    ends = (event for event in events if event.event_type in ("step.skipped", "step.completed"))
    return [
        (event.correlation_id or "", event.event_data["why"])
        for event in ends
        if "why" in event.event_data
    ]


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


def _sentences(edges: Sequence[Edge], skipped: Sequence[StepPath]) -> Iterator[str]:
    """Yield what to say of a run: where it went, and what it left out."""
    on_path = {place for edge in edges for place in edge[:2]}
    if edges:
        yield _shortened(f"The path of this run: {_path(edges, on_path & set(skipped))}.")
    left_out = [path for path in _outermost(skipped) if path not in on_path]
    if left_out:
        yield _shortened(f"Skipped: {', '.join(left_out)}.")


def _path(edges: Sequence[Edge], skipped: Collection[str]) -> str:
    """Return edges as arrows: one that begins where the last one ended goes on with it."""
    text, at = "", ""
    for start, end, *_ in edges:
        if start != at:
            text += ", " if text else ""
            text += f"{start} (skipped)" if start in skipped else start
        text += f" → {end} (skipped)" if end in skipped else f" → {end}"
        at = end
    return text


def _shortened(text: str) -> str:
    return text if len(text) <= SENTENCE_LENGTH else f"{text[: SENTENCE_LENGTH - 2]} …"

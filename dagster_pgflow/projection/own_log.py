"""What our own event log tells of a run: for those that Dagster has no more."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol
from uuid import UUID

from dagster_pgflow.model.run_state import LogEvent
from dagster_pgflow.names import pass_path
from dagster_pgflow.projection.announcements import layout_told
from dagster_pgflow.projection.dagster_runs import OutputsOf
from dagster_pgflow.projection.layout import Layout, PinnedTree

Pins = Callable[[str, int], tuple[PinnedTree, Layout]]
"""Returns the definitions that a run executes, and their layout."""


class EventLogs(Protocol):
    """Our own event logs; `store.run_tables.RunTables` has them."""

    def events(self, run_id: UUID) -> Sequence[LogEvent]:
        """Return the event log of a run; nothing where there is none."""


def layout_in(pins: Pins, events: Sequence[LogEvent]) -> Layout:
    """Return the layout of a run.

    Args:
        pins: What loads definitions.
        events: The event log of the run.
    """
    told = events[0].event_data
    tree, layout = pins(told["flow_slug"], told["watermark"])
    return layout_told(told["flow_slug"], tree, events) if layout.has_lists else layout


def outputs_told(pins: Pins, logs: EventLogs, events: Sequence[LogEvent]) -> list[OutputsOf]:
    """Return the Dagster runs whose outputs a run uses.

    Those are itself, those inside it, and the same of the runs that it goes on with, newest first:
    what it took over lies where it was made.

    Args:
        pins: What loads definitions.
        logs: The event logs of the other runs.
        events: The event log of the run.
    """
    found: list[OutputsOf] = []
    while events:
        told = events[0].event_data
        found.append(OutputsOf(UUID(told["dagster_run_id"])))
        found += _runs_inside(layout_in(pins, events), events)
        before = told["retry_of"]
        events = logs.events(UUID(before)) if before else ()
    return found


def _runs_inside(layout: Layout, events: Sequence[LogEvent]) -> Iterator[OutputsOf]:
    for event in events:
        told, path = event.event_data, str(event.correlation_id)
        if event.event_type == "subrun.started" and "dagster_run_id" in told:
            scope = layout.subruns[path].path
        elif event.event_type == "loop.pass_started":
            scope = pass_path(path, told["iteration"])
        else:
            continue
        yield OutputsOf(UUID(told["dagster_run_id"]), scope)

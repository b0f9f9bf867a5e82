"""What our own event log says of a run: for those that Dagster has no more."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol
from uuid import UUID

from dagster_pgflow.dagster_log.run_events import OutputsOf
from dagster_pgflow.model.run_state import LogEvent
from dagster_pgflow.projection.layout.announcements import layout_in_log
from dagster_pgflow.projection.layout.layout import Layout, PinnedTree
from dagster_pgflow.step_path import StepPath

Pins = Callable[[str, int], tuple[PinnedTree, Layout]]
"""Returns the definitions that a run executes, and their layout."""


_ITERATION_STARTED: Final = ("loop.iteration_started", "loop.pass_started")
"""The event that says which run an iteration is, and what it was called before version 0.1."""


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
    queued = events[0].event_data
    tree, layout = pins(queued["flow_slug"], queued["watermark"])
    return layout_in_log(queued["flow_slug"], tree, events) if layout.has_lists else layout


def outputs_used(pins: Pins, logs: EventLogs, events: Sequence[LogEvent]) -> list[OutputsOf]:
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
        queued = events[0].event_data
        resumed = (event.event_data for event in events if event.event_type == "run.resumed")
        further = [OutputsOf(UUID(data["dagster_run_id"])) for data in resumed]
        # What a step made that had waited counts, and not that it waited.
        found += [*further[::-1], OutputsOf(UUID(queued["dagster_run_id"]))]
        found += [*_runs_inside(layout_in(pins, events), events)][::-1]
        before = queued["retry_of"]
        events = logs.events(UUID(before)) if before else ()
    return found


def _runs_inside(layout: Layout, events: Sequence[LogEvent]) -> Iterator[OutputsOf]:
    for event in events:
        data, path = event.event_data, str(event.correlation_id)
        if event.event_type == "subrun.started" and "dagster_run_id" in data:
            scope = layout.subruns[path].path
        elif event.event_type == "subrun.resumed":
            scope = StepPath(data["path"])
        elif event.event_type in _ITERATION_STARTED:
            scope = StepPath(path).at(data["iteration"])
        else:
            continue
        yield OutputsOf(UUID(data["dagster_run_id"]), scope)

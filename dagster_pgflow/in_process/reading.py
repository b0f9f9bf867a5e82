"""What became of a run that has ended in a Dagster instance: its rows, as the projection has it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import dagster as dg

from dagster_pgflow.dagster_log.dagster_runs import DagsterRuns
from dagster_pgflow.dagster_log.run_events import RunEvent
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.run_state import LogEvent, RunState
from dagster_pgflow.projection.fold.fold import fold
from dagster_pgflow.projection.layout.announcements import layout_seen
from dagster_pgflow.projection.layout.layout import Layout, PinnedTree
from dagster_pgflow.projection.sync.outputs_used import outputs_in
from dagster_pgflow.projection.sync.store import StoredOutputs
from dagster_pgflow.projection.translate.cut_off import with_cut_off
from dagster_pgflow.projection.translate.translation import translate
from dagster_pgflow.reports.report import StepSkipped


@dataclass(frozen=True)
class UnstoredFlow:
    """A flow that no store has: it is the only version of itself.

    Attributes:
        flow: The definition.
        version: Its number.
        version_id: Its number among those of all flows.
    """

    flow: Flow
    version: int = 0
    version_id: int = 0


@dataclass(frozen=True)
class RunRead:
    """All that is known of a run.

    Attributes:
        layout: Where everything stands in it.
        events: What happened.
        state: Its rows.
        skips: Where the skip of each skipped step began, as far as ops said.
    """

    layout: Layout
    events: Sequence[LogEvent]
    state: RunState
    skips: Mapping[str, str]


def read_run(
    instance: dg.DagsterInstance, run_id: UUID, tree: PinnedTree, outputs: StoredOutputs
) -> RunRead:
    """Read a run that nobody executes any more.

    Args:
        instance: The Dagster instance that has it.
        run_id: Its id in Dagster.
        tree: Its flow and every flow that it contains, as it executed them.
        outputs: The outputs of its steps.
    """
    runs = DagsterRuns(instance)
    seen = runs.read(runs.find([run_id])[run_id], lambda: None)
    layout = layout_seen(seen.facts.flow_slug, tree, seen.run_events)
    events = translate(seen.facts, tree, layout, seen.run_events)
    state = fold(layout, events, outputs_in(outputs, events, seen.outputs_of))
    run_events = with_cut_off(seen.facts.flow_slug, tree, layout, seen.run_events)
    return RunRead(layout, events, state, _skips_in(run_events))


def _skips_in(run_events: Iterable[RunEvent]) -> dict[str, str]:
    reports = (run_event.report for run_event in run_events)
    return {
        str(report.step): str(report.skipped_step)
        for report in reports
        if isinstance(report, StepSkipped)
    }

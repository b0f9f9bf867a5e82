"""How long lists and loops are, as far as that is known: the ops that find out announce it."""

from collections.abc import Iterable, Iterator

from dagster_pgflow.dagster_log.run_events import RunEvent
from dagster_pgflow.model.run_state import LogEvent
from dagster_pgflow.projection.layout.growing_layout import GrowingLayout
from dagster_pgflow.projection.layout.layout import Layout, PinnedTree
from dagster_pgflow.reports.report import FanOut, OpReport, StepCompleted, StepEnd
from dagster_pgflow.step_path import StepPath


def announced_in(
    layout: Layout | GrowingLayout, path: StepPath, report: OpReport | None
) -> Iterator[tuple[StepPath, FanOut]]:
    """Yield the steps whose elements an op sent out, with how many tasks and batches.

    A subflow step that is not to run has no items, rather than an empty list of them.

    Args:
        layout: The layout of the run.
        path: The step that the op is, or helps.
        report: What the op reported.
    """
    if not isinstance(report, StepEnd):
        return
    for slug, sent in report.fans_out.items():
        fed = layout.steps[path].scope.to(slug)
        if fed not in layout.steps:
            continue
        if isinstance(report, StepCompleted) or not layout.steps[fed].has_items:
            yield fed, sent


def layout_seen(slug: str, tree: PinnedTree, run_events: Iterable[RunEvent]) -> Layout:
    """Return the layout of a run, with the lists that its subflows go over as Dagster saw them.

    Args:
        slug: The flow.
        tree: The flow and every flow that it contains.
        run_events: What Dagster saw.
    """
    growing = GrowingLayout(slug, tree)
    for run_event in run_events:
        report = run_event.report
        if report is None or run_event.kind not in ("succeeded", "reused"):
            continue
        path = growing.step_at(run_event.step_key)
        if path is None:
            continue
        for fed, sent in list(announced_in(growing, path, report)):
            growing.add_items(fed, sent.tasks)
        decision = report.decision if isinstance(report, StepCompleted) else None
        if decision and decision.again and decision.iteration:
            loop = growing.scopes[growing.steps[path].scope].step
            growing.add_iteration(loop, decision.iteration + 1)
    return growing.layout()


def layout_in_log(slug: str, tree: PinnedTree, events: Iterable[LogEvent]) -> Layout:
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
            loop = StepPath(event.correlation_id or "")
            growing.add_iteration(loop, event.event_data["iteration"] + 1)
    return growing.layout()

"""The steps that Dagster skips, since a branch left out the output that leads to them.

They have no op that could report. What the branch decided and what it sent say all of it, as soon
as the branch is done, so here they end as they would with a report of an op. Dagster's own word
that it skips them may be missing: a process that is stopped between the two has no time for it, and
a run that goes on with that one does not ask for it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from dagster_pgflow.dagster_log.run_events import RunEvent
from dagster_pgflow.model.cut_off import Followers, cut_off_by, steps_inside
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import dependents
from dagster_pgflow.model.steps import BranchStep, SubflowStep
from dagster_pgflow.projection.layout.layout import Layout, PinnedTree
from dagster_pgflow.reports.report import StepCompleted, StepSkipped
from dagster_pgflow.reports.told import passed_by_told
from dagster_pgflow.step_path import RUN, StepPath


def with_cut_off(
    slug: str, tree: PinnedTree, layout: Layout, run_events: Iterable[RunEvent]
) -> Iterator[RunEvent]:
    """Yield what Dagster saw, and behind each branch that is done the steps that it has cut off.

    A branch that ran with older code has sent all its outputs, and cut nothing off.

    Args:
        slug: The flow of the run.
        tree: The flow and every flow that it contains.
        layout: Where everything stands.
        run_events: What Dagster saw, in order.
    """
    flows = {known: pinned.flow for known, pinned in tree.items()}
    followers = dependents(flows[slug])
    keys: dict[str, str] = {}
    for run_event in run_events:
        yield run_event
        report = run_event.report
        if run_event.kind not in ("succeeded", "reused") or not isinstance(report, StepCompleted):
            continue
        branch = layout.step_of(run_event.step_key) or RUN
        for path, origin in _cut_off_behind(run_event, report, followers, flows, layout):
            keys = keys or {step: key for key, step in layout.step_nodes.items()}
            skipped = StepSkipped(
                worker=report.worker,
                step=path,
                skip_reason="not_taken",
                skipped_step=origin,
                ends_route=True,
                why=passed_by_told(branch) if report.decision and report.decision.why else "",
            )
            yield replace(run_event, step_key=keys[path], report=skipped, sent=())


def _cut_off_behind(
    run_event: RunEvent,
    report: StepCompleted,
    followers: Followers,
    flows: Mapping[str, Flow],
    layout: Layout,
) -> Iterator[tuple[StepPath, StepPath]]:
    """Yield where each step stands that a branch has cut off, and where its skip began."""
    path = layout.step_of(run_event.step_key)
    if path is None or report.decision is None or layout.steps[path].scope != RUN:
        return
    branch = layout.steps[path].step
    if not isinstance(branch, BranchStep):
        return
    sent = {output for output, _ in run_event.sent}
    for target, slugs in cut_off_by(branch, followers, flows).items():
        if branch.route_output(target) not in sent:
            for slug in slugs:
                begins = RUN.to(slug)
                for inside in _inside(layout.steps[begins].step, flows):
                    yield StepPath(".".join((begins, *inside))), begins


def _inside(step: object, flows: Mapping[str, Flow]) -> Iterable[tuple[str, ...]]:
    return steps_inside(step, flows) if isinstance(step, SubflowStep) else ((),)

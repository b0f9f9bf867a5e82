"""Writes about what is a Dagster run of its own, as far as the op around it reports on it.

That is the flow of a subflow step, or an iteration of a loop. What happened in such a run its own
ops report, as if it were a graph in the graph. The op around says when that run began, what the
step returned, and why nothing ran at all.
"""

from collections.abc import Iterator
from typing import Any, assert_never

from dagster_pgflow.dagster_log.run_events import RunEvent
from dagster_pgflow.projection.layout.layout import Layout, StepPlace
from dagster_pgflow.projection.translate.event_data import error_of, output_data
from dagster_pgflow.projection.translate.run_lifecycle import CaughtFailure, RunLifecycle
from dagster_pgflow.projection.translate.skips import Skip, skip_in
from dagster_pgflow.reports.report import (
    ChildRunStarted,
    OpReport,
    StepCancelled,
    StepCompleted,
    StepEnd,
    StepFailed,
    StepSkipped,
)
from dagster_pgflow.step_path import StepPath


def caught_in(report: StepFailed) -> CaughtFailure | None:
    """Return what fails while its flow goes on, as the op reports that failed."""
    if report.failed_subflow is None:
        return None
    return CaughtFailure(report.failed_subflow, report.leads_to)


class SubflowOps:
    """Writes what the ops of such steps report.

    Args:
        layout: Where everything stands.
        lifecycle: What has begun and ended so far.
    """

    def __init__(self, layout: Layout, lifecycle: RunLifecycle) -> None:
        self._layout = layout
        self._lifecycle = lifecycle
        self._begun: set[StepPath] = set()
        self._to_go_on: set[StepPath] = set()

    def begin_anew(self) -> None:
        """Note that the run goes on that waited, and what has not ended in it."""
        self._to_go_on |= self._begun

    def take(self, path: StepPath, run_event: RunEvent) -> None:
        """Write the events that follow from what was seen of the op of a subflow step."""
        report = run_event.report
        match run_event.kind:
            case "child_run":
                if isinstance(report, ChildRunStarted):
                    self.begin(report, is_reused=run_event.is_reused)
            case "succeeded" | "reused":
                ended = report if isinstance(report, StepEnd) else None
                self._end(path, run_event, ended)
            case "failed":
                failure = report if isinstance(report, StepFailed) else None
                caught = self.caught_around(path, failure)
                self._fail(path, failure, error_of(run_event), caught)
            case "skipped":
                self.skip(path, Skip("dependency_skipped", path))
            case "started" | "reported" | "retrying":
                pass  # What is inside begins and ends by itself.
            case "run_started" | "run_completed" | "run_failed" | "run_cancelled":
                raise AssertionError(run_event.kind)  # They are about no step.
            case _:
                assert_never(run_event.kind)

    def caught_around(self, path: StepPath, report: OpReport | None) -> CaughtFailure | None:
        """Return what fails, while its flow goes on, when a run inside another one fails.

        That run cannot know. Where it lies, the definitions say.

        Args:
            path: A step of that run, which failed.
            report: What its op reported, if it could.
        """
        around = self._layout.steps[path].child_run
        is_routable = isinstance(report, StepFailed) and report.is_routable
        if around is None or not is_routable:
            return None
        scope = self._layout.scopes[around]
        while scope.parent is not None:
            leads_to = self._layout.goes_on_behind(scope.step)
            if leads_to is not None:
                return CaughtFailure(scope.path, leads_to)
            scope = self._layout.scopes[scope.parent]
        return None

    def begin(self, report: ChildRunStarted, *, is_reused: bool) -> None:
        """Write that a run of its own begins, or that one of before is taken over."""
        scope = report.path
        if scope not in self._layout.scopes:
            return
        data: dict[str, Any] = {"dagster_run_id": report.child_run}
        iteration = self._layout.scopes[scope].iteration
        if iteration is not None:
            data |= {"iteration": iteration} | ({"reused": True} if is_reused else {})
            self._lifecycle.open_scope(scope)
            self._lifecycle.note("loop.iteration_started", self._layout.scopes[scope].step, data)
            return
        data |= {} if report.input is None else {"input": report.input.value}
        self._lifecycle.receive(scope, data)
        if is_reused:
            return
        if scope in self._to_go_on:
            more = {"path": scope, "dagster_run_id": report.child_run}
            self._lifecycle.note("subrun.resumed", self._layout.scopes[scope].step, more)
        self._begun.add(scope)
        self._lifecycle.open_scope(scope)

    def _end(self, path: StepPath, run_event: RunEvent, report: StepEnd | None) -> None:
        if isinstance(report, StepFailed):
            self._fail(path, report, report.error, caught_in(report))
            return
        if isinstance(report, StepCompleted):
            for item, failure in report.failed_items.items():
                self._lifecycle.fail(item, failure.error, CaughtFailure(failure.subflow))
                self._lifecycle.cancel_inside(item)
        if self._layout.steps[path].has_items:
            # A helper op reports on the list, and each item is over with the last of its steps.
            return
        match report:
            case StepSkipped():
                self.skip(path, skip_in(report))
            case StepCancelled():
                self.cancel(path)
            case StepCompleted() | None:
                reused = {"reused": True} if run_event.kind == "reused" else {}
                self._lifecycle.open_step(path)
                self._lifecycle.complete_step(path, output_data(run_event, report) | reused)
            case _:
                assert_never(report)

    def _fail(
        self, path: StepPath, report: StepFailed | None, error: str, caught: CaughtFailure | None
    ) -> None:
        place = path if report is None else report.place
        failed = place if report is None else report.failed_step
        known = failed in self._layout.steps or failed in self._layout.scopes
        self._lifecycle.fail(failed if known else place, error, caught)
        if known and not failed.is_in(place):
            # It was a flow around the step that failed, so that this one never began.
            if caught is not None:
                self.cancel(path)
            return
        if place in self._layout.scopes:
            self._lifecycle.fail(place, error, caught)
            if caught is not None:
                # What lies beside it, in a run around this one, may be at work.
                self._lifecycle.cancel_inside(place)

    def skip(self, path: StepPath, skip: Skip) -> None:
        """Write that all inside a step is skipped."""
        for inner in self._steps_inside(path):
            self._lifecycle.skip_step(inner.path, skip)

    def cancel(self, path: StepPath) -> None:
        """Write that all inside a step is cancelled."""
        for inner in self._steps_inside(path):
            self._lifecycle.cancel_step(inner.path)

    def _steps_inside(self, path: StepPath) -> Iterator[StepPlace]:
        """Yield the steps of a flow that does not run, those that are scopes themselves left out.

        A map step among them has no tasks, which each would say itself where it had an op. What has
        ended already, in the iteration that skipped its loop, stays what it is.
        """
        for place in list(self._layout.steps.values()):
            if place.is_subflow or not self._layout.is_inside(place.scope, path):
                continue
            if self._lifecycle.is_over(place.path):
                continue
            if place.is_map:
                self._lifecycle.note("step.queued", place.path, {"tasks": 0, "batches": 1})
            yield place

"""Decides what one run event after the other means, in the events of our log."""

from collections import defaultdict
from typing import assert_never

from dagster_pgflow.dagster_log.run_events import RunEvent
from dagster_pgflow.dagster_log.step_keys import node_and_index
from dagster_pgflow.model.event_types import RunEnd
from dagster_pgflow.model.steps import BranchStep
from dagster_pgflow.names import INPUT_SUFFIX, OUTPUT_SUFFIX, is_collector
from dagster_pgflow.projection.layout.announcements import announced_in
from dagster_pgflow.projection.layout.layout import Layout
from dagster_pgflow.projection.translate.event_data import (
    branch_data,
    decided_data,
    error_of,
    input_data,
    iteration_data,
    loop_data,
    output_data,
)
from dagster_pgflow.projection.translate.lookahead import tried
from dagster_pgflow.projection.translate.map_ends import MapEnds
from dagster_pgflow.projection.translate.pauses import Pauses
from dagster_pgflow.projection.translate.recoveries import Recoveries
from dagster_pgflow.projection.translate.run_lifecycle import CaughtFailure, RunLifecycle
from dagster_pgflow.projection.translate.skips import Skip, skip_in
from dagster_pgflow.projection.translate.subflow_ops import SubflowOps, caught_in
from dagster_pgflow.projection.translate.task_events import TaskEvents
from dagster_pgflow.projection.translate.warnings import StepWarnings
from dagster_pgflow.reports.decision import Decision
from dagster_pgflow.reports.report import (
    ChildRunStarted,
    OpReport,
    StepCancelled,
    StepCompleted,
    StepDelayed,
    StepEnd,
    StepFailed,
    StepHeld,
    StepPause,
    StepRetrying,
    StepSkipped,
    StepWaiting,
)
from dagster_pgflow.step_path import StepPath


def _collects(step_key: str) -> bool:
    node, _ = node_and_index(step_key)
    return is_collector(node)


class Translator:
    """Takes one run event after the other, and writes the events that follow from it.

    Args:
        layout: Where everything stands.
        lifecycle: What has begun and ended so far.
        max_recoveries: How often the run goes on by itself when its process was lost.
    """

    def __init__(self, layout: Layout, lifecycle: RunLifecycle, max_recoveries: int) -> None:
        self._layout = layout
        self._lifecycle = lifecycle
        self._maps = MapEnds(layout, lifecycle)
        self._tasks = TaskEvents(layout, lifecycle)
        self._reported: set[str] = set()
        self._announced: set[StepPath] = set()
        self._pauses = Pauses(layout, lifecycle)
        self._recoveries = Recoveries(lifecycle, self._tasks, max_recoveries)
        self._delayed: dict[StepPath, set[str]] = defaultdict(set)
        self._warnings = StepWarnings(lifecycle)
        self._problems: str | None = None
        self._subflow_ops = SubflowOps(layout, lifecycle)

    def take(self, run_event: RunEvent, lookahead: OpReport | None) -> None:
        """Write the events that follow from one run event.

        Args:
            run_event: What Dagster saw.
            lookahead: For the start of a step, what it reported next.
        """
        match run_event.kind:
            case "run_started":
                self._start_run(run_event)
            case "run_completed" if self._lifecycle.waiting_steps():
                self._lifecycle.pause_run("run.waiting", {"steps": self._lifecycle.waiting_steps()})
            case "run_completed":
                self._write_run_end("completed", run_event.error)
            case "run_failed" if self._recoveries.is_left_for(run_event):
                self._recoveries.interrupt(run_event)
            case "run_failed":
                self._write_run_end("failed", run_event.error)
            case "run_cancelled":
                self._write_run_end("cancelled", run_event.error)
            case _:
                self._recoveries.note(run_event)
                self._write_step(run_event, lookahead)

    def _start_run(self, run_event: RunEvent) -> None:
        if run_event.goes_on_in is not None:
            self._pauses.begin_anew()
            self._subflow_ops.begin_anew()
            self._lifecycle.resume_run(run_event.goes_on_in)
        self._lifecycle.open_run()

    def _write_run_end(self, ending: RunEnd, error: str | None) -> None:
        if ending == "completed":
            # Nobody announced the batches of these maps, so only the end shows that all came.
            self._maps.finish_unannounced()
        elif ending == "failed" and self._lifecycle.failure:
            path, reason = self._lifecycle.failure
            error = f'Step "{path}" failed: {reason}'
        elif ending == "failed":
            error = self._problems or error
        self._lifecycle.end_run(ending, error)

    def _write_step(self, run_event: RunEvent, lookahead: OpReport | None) -> None:
        path = self._layout.step_of(run_event.step_key)
        self._end_routes(run_event.report, path)
        if isinstance(run_event.report, StepPause) and run_event.kind == "succeeded":
            if path is None or self._is_announced(path):
                self._pauses.take(path, run_event.report)
            return
        if run_event.process_lost and self._recoveries.are_left:
            # The attempt is lost with the run, which goes on: the step has not failed.
            return
        if path is None:
            self._write_helper(run_event, self._layout.helped_by(run_event.step_key))
            return
        if not self._is_announced(path):
            return
        self._warnings.take(path, run_event)
        if self._layout.steps[path].runs_child:
            self._subflow_ops.take(path, run_event)
        else:
            self._write_op(path, run_event, lookahead)

    def _write_op(self, path: StepPath, run_event: RunEvent, lookahead: OpReport | None) -> None:
        match run_event.kind:
            case "started":
                self._start(path, run_event, lookahead)
            case "reported":
                self._report(path, run_event)
            case "retrying":
                self._retry(path, run_event)
            case "succeeded" | "reused":
                self._succeed(path, run_event)
            case "failed":
                caught = self._subflow_ops.caught_around(path, run_event.report)
                self._fail(path, run_event, caught)
            case "skipped":
                self._lifecycle.skip_step(path, Skip("dependency_skipped", path))
            case "child_run":
                pass  # Only a subflow step and a helper of a loop have one.
            case "run_started" | "run_completed" | "run_failed" | "run_cancelled":
                raise AssertionError(run_event.kind)  # They are about no step.
            case _:
                assert_never(run_event.kind)

    def _end_routes(self, report: OpReport | None, path: StepPath | None) -> None:
        """Note behind which steps a route ends, as an op that skipped its step reports it."""
        if isinstance(report, StepSkipped) and report.ends_route:
            self._lifecycle.end_route(report.skipped_step)
            if path is not None:
                self._lifecycle.end_route(path)

    def _is_announced(self, path: StepPath) -> bool:
        """Return whether a step is there yet: those of an item are as soon as its list is known."""
        within = self._layout.steps[path].within
        return within is None or within in self._announced

    def _write_helper(self, run_event: RunEvent, path: StepPath | None) -> None:
        """A helper op is no step: it says something about the step that it helps."""
        if path is None:
            # The only op of the job of a flow that cannot run; it says why.
            self._problems = run_event.error or self._problems
            return
        if not self._is_announced(path) or run_event.kind == "started":
            return
        self._warnings.take(path, run_event)
        report = run_event.report
        if run_event.kind == "failed":
            self._fail_helper(path, run_event, self._subflow_ops.caught_around(path, report))
            return
        match report:
            case ChildRunStarted():
                self._subflow_ops.begin(report, is_reused=run_event.is_reused)
            case StepFailed():
                self._fail_helper(path, run_event, self._caught(path, report))
            case StepCompleted() | StepSkipped() | StepCancelled():
                if self._layout.steps[path].is_judged_apart and _collects(run_event.step_key):
                    self._maps.judge(path, report)
                else:
                    self._announce(path, report)
                    self._help(path, run_event, report)
            case StepRetrying() | StepDelayed() | StepWaiting() | StepHeld() | None:
                pass
            case _:
                assert_never(report)

    def _fail_helper(
        self, path: StepPath, run_event: RunEvent, caught: CaughtFailure | None
    ) -> None:
        failed = self._failed_in(path, run_event.report)
        self._lifecycle.fail(failed, error_of(run_event), caught)
        if caught is not None and self._layout.steps[path].runs_iterations:
            self._lifecycle.cancel_inside(path)

    def _help(
        self,
        path: StepPath,
        run_event: RunEvent,
        report: StepCompleted | StepSkipped | StepCancelled,
    ) -> None:
        """Write what a helper op of a subflow step found out."""
        node, _ = node_and_index(run_event.step_key)
        place = self._layout.steps[path]
        match report:
            case StepCompleted() if node.endswith(INPUT_SUFFIX):
                if not place.is_loop:
                    self._lifecycle.receive(path, input_data(run_event, report))
            case StepCompleted() if node.endswith(OUTPUT_SUFFIX) and place.has_output_op:
                self._complete_scope(path, run_event, report)
            case StepSkipped() if place.has_items or place.is_loop:
                if place.runs_iterations:
                    self._subflow_ops.skip(path, skip_in(report))
                self._lifecycle.skip_step(path, skip_in(report))
            case StepCancelled() if node.endswith(OUTPUT_SUFFIX):
                self._cancel_scope(path, report)

    def _complete_scope(self, path: StepPath, run_event: RunEvent, report: StepCompleted) -> None:
        reused = {"reused": True} if run_event.kind == "reused" else {}
        self._lifecycle.open_step(path)
        if self._layout.steps[path].is_loop and report.decision is not None:
            self._lifecycle.note("loop.completed", path, loop_data(report.decision))
        told = reused | decided_data(report.decision)
        self._lifecycle.complete_step(path, output_data(run_event, report) | told)

    def _cancel_scope(self, path: StepPath, report: StepCancelled) -> None:
        if self._layout.steps[path].runs_iterations:
            self._subflow_ops.cancel(path)
        error = self._lifecycle.error_of_items(path)
        if report.failed_subflow == path and error is not None:
            self._lifecycle.fail(path, error, CaughtFailure(path))
        else:
            self._lifecycle.cancel_step(path)

    def _start(self, path: StepPath, run_event: RunEvent, lookahead: OpReport | None) -> None:
        key = run_event.step_key
        if lookahead and not lookahead.tasks and self._ended_elsewhere(path, lookahead):
            return
        place = self._layout.steps[path]
        may_wait = place.is_delayed and key not in self._delayed[path]
        if lookahead is None and (may_wait or self._pauses.is_held(path)):
            return
        attempt = self._tasks.begin(key)
        self._lifecycle.open_step(path)
        if lookahead is None and place.waits:
            return
        for index in tried(lookahead, self._maps.indexes(path, key), attempt):
            # What was not tried at first was taken over from another run, and is not tried later.
            if attempt == 1 or self._lifecycle.attempts_of((path, index)):
                self._lifecycle.open_task((path, index), attempt, run_event.pid)

    def _report(self, path: StepPath, run_event: RunEvent) -> None:
        """Write what follows from an execution of a Dagster step that another one follows."""
        report = run_event.report
        self._reported.add(run_event.step_key)
        if not isinstance(report, StepDelayed):
            self._tasks.write(path, run_event, report)
            return
        if not self._delayed[path]:
            self._lifecycle.note("step.delayed", path, {"delay_seconds": report.delay_seconds})
        self._delayed[path].add(run_event.step_key)

    def _retry(self, path: StepPath, run_event: RunEvent) -> None:
        """Write that an attempt follows that the op knows nothing of: its process was lost."""
        key = run_event.step_key
        if key in self._reported:
            self._reported.remove(key)
            return
        self._tasks.lose(path, self._maps.indexes(path, key), run_event)

    def _succeed(self, path: StepPath, run_event: RunEvent) -> None:
        report = run_event.report
        if isinstance(report, StepFailed):
            self._fail(path, run_event, self._caught(path, report))
            return
        ended = report if isinstance(report, StepEnd) else None
        place = self._layout.steps[path]
        if place.is_whole_list:
            # Only the op itself knows how long its list is.
            self._announce(path, ended)
        self._tasks.write(path, run_event, ended)
        if place.is_map:
            self._maps.add(path, ended)
        else:
            self._end_step(path, run_event, ended)
        if not place.is_whole_list:
            self._announce(path, ended)

    def _end_step(
        self,
        path: StepPath,
        run_event: RunEvent,
        report: StepCompleted | StepSkipped | StepCancelled | None,
    ) -> None:
        """Write how a step of one op ended."""
        match report:
            case StepSkipped():
                self._lifecycle.skip_step(path, skip_in(report))
            case StepCancelled():
                self._lifecycle.cancel_step(path)
            case StepCompleted() | None:
                decision = None if report is None else report.decision
                step = self._layout.steps[path].step
                if decision is not None and isinstance(step, BranchStep):
                    self._lifecycle.note("branch.taken", path, branch_data(step, decision))
                reused = {"reused": True} if run_event.kind == "reused" else {}
                self._lifecycle.complete_step(path, reused | decided_data(decision))
                if decision is not None:
                    self._write_iteration(path, decision)
            case _:
                assert_never(report)

    def _write_iteration(self, path: StepPath, decision: Decision) -> None:
        """Write that an iteration of a loop is over, and whether another one follows."""
        scope = self._layout.scopes[self._layout.steps[path].scope]
        if decision.again is None or scope.iteration is None:
            return
        following = scope.step.at(scope.iteration + 1) if decision.again else None
        if following is not None:
            self._announced.add(following)
        self._lifecycle.iterate(scope.step, iteration_data(decision), following)

    def _fail(
        self, path: StepPath, run_event: RunEvent, caught: CaughtFailure | None = None
    ) -> None:
        """Write what follows from a failure.

        Args:
            path: The step whose op failed.
            run_event: What Dagster saw.
            caught: What fails with it while the flow around that goes on, if it does.
        """
        error = error_of(run_event)
        if self._layout.steps[path].is_whole_list:
            self._announce(path, run_event.report)
        self._tasks.write(path, run_event, run_event.report)
        self._tasks.fail(path, self._maps.indexes(path, run_event.step_key), error)
        failed = self._failed_in(path, run_event.report)
        self._lifecycle.fail(failed, error, caught)
        if caught is not None and failed != path:
            self._lifecycle.cancel_step(path)
        if not self._layout.steps[path].is_whole_list:
            self._announce(path, run_event.report)

    def _caught(self, path: StepPath, report: StepFailed) -> CaughtFailure | None:
        """Return what fails while the flow around it goes on."""
        caught = caught_in(report)
        return caught if caught and self._is_around(caught.by, path) else None

    def _is_around(self, other: StepPath, path: StepPath) -> bool:
        """Return whether something is a step, or a subflow or an item that it lies in."""
        return other == path or self._layout.is_inside(self._layout.steps[path].scope, other)

    def _ended_elsewhere(self, path: StepPath, report: OpReport) -> bool:
        """Return whether a step was only started to find out that it is not to run."""
        is_idle = isinstance(report, StepSkipped | StepCancelled)
        return is_idle or self._failed_in(path, report) != path

    def _failed_in(self, path: StepPath, report: OpReport | None) -> StepPath:
        """Return what failed: the step of a path, or a subflow around it that may not run."""
        failed = report.failed_step if isinstance(report, StepFailed) else path
        return failed if self._is_around(failed, path) else path

    def _announce(self, path: StepPath, report: OpReport | None) -> None:
        """Write how many elements an op sent out, and to which steps."""
        for fed, sent in announced_in(self._layout, path, report):
            if not self._layout.steps[fed].has_items:
                self._maps.announce(fed, sent)
                queued = {"tasks": sent.tasks, "batches": sent.batches}
                self._lifecycle.note("step.queued", fed, queued)
            elif fed not in self._announced:
                self._announced.add(fed)
                self._lifecycle.note("step.queued", fed, {"tasks": sent.tasks})

"""Tells what Dagster saw, one sighting after the other, in the words of our event log."""

from collections import defaultdict
from typing import Any, cast

from dagster_pgflow.model.step import BranchStep
from dagster_pgflow.names import (
    FINISHED_OUTPUT,
    INPUT_SUFFIX,
    OUTPUT_SUFFIX,
    is_collector,
    pass_path,
)
from dagster_pgflow.projection.announcements import announced_in
from dagster_pgflow.projection.layout import Layout, Task, node_and_index
from dagster_pgflow.projection.map_ends import MapEnds
from dagster_pgflow.projection.outlook import (
    Outcome,
    dead_ends_in,
    error_of,
    picked,
    skip_of,
    told_by,
    tried,
)
from dagster_pgflow.projection.sightings import Sighting
from dagster_pgflow.projection.subflow_ops import SubflowOps
from dagster_pgflow.projection.told_warnings import ToldWarnings
from dagster_pgflow.projection.unfolding import Ending, Unfolding
from dagster_pgflow.runtime.values import Batch, from_wire


def finished_in(step_key: str) -> str:
    """Return what events call the outputs that a batch had when it failed."""
    return f"{step_key}/{FINISHED_OUTPUT}"


def _collects(step_key: str) -> bool:
    node, _ = node_and_index(step_key)
    return is_collector(node)


class Narrator:
    """Tells one sighting after the other.

    Args:
        layout: Where everything stands.
        unfolding: What has begun and ended so far.
    """

    def __init__(self, layout: Layout, unfolding: Unfolding) -> None:
        self._layout = layout
        self._unfolding = unfolding
        self._maps = MapEnds(layout, unfolding)
        self._attempts_over: dict[str, int] = {}
        self._reported: set[str] = set()
        self._announced: set[str] = set()
        self._delayed: dict[str, set[str]] = defaultdict(set)
        self._warnings = ToldWarnings(unfolding)
        self._problems: str | None = None
        self._subflow_ops = SubflowOps(layout, unfolding)

    def tell(self, sighting: Sighting, outlook: Outcome | None) -> None:
        """Write the events that follow from one sighting.

        Args:
            sighting: What Dagster saw.
            outlook: For the start of a step, what it reported next.
        """
        match sighting.kind:
            case "run_started":
                self._unfolding.open_run()
            case "run_completed" | "run_failed" | "run_cancelled":
                self._tell_run_end(sighting)
            case _:
                self._tell_step(sighting, outlook)

    def _tell_run_end(self, sighting: Sighting) -> None:
        ending = cast("Ending", sighting.kind.removeprefix("run_"))
        error = sighting.error
        if ending == "completed":
            # Nobody announced the batches of these maps, so only the end shows that all came.
            self._maps.finish_unannounced()
        elif ending == "failed" and self._unfolding.failure:
            path, reason = self._unfolding.failure
            error = f'Step "{path}" failed: {reason}'
        elif ending == "failed":
            error = self._problems or error
        self._unfolding.end_run(ending, error)

    def _tell_step(self, sighting: Sighting, outlook: Outcome | None) -> None:
        path = self._layout.step_of(sighting.step_key)
        for skipped in dead_ends_in(sighting.outcome, path):
            self._unfolding.end_way(skipped)
        if path is None:
            self._tell_helper(sighting, self._layout.helped_by(sighting.step_key))
            return
        if not self._is_announced(path):
            return
        self._warnings.tell(path, sighting)
        if self._layout.steps[path].runs_child:
            self._subflow_ops.tell(path, sighting)
        else:
            self._tell_op(path, sighting, outlook)

    def _tell_op(self, path: str, sighting: Sighting, outlook: Outcome | None) -> None:
        match sighting.kind:
            case "started":
                self._start(path, sighting, outlook)
            case "reported":
                self._report(path, sighting)
            case "retrying":
                self._retry(path, sighting)
            case "succeeded" | "reused":
                self._succeed(path, sighting)
            case "failed":
                caught_by = self._subflow_ops.caught_around(path, sighting.outcome)
                self._fail(path, sighting, caught_by)
            case "skipped":
                self._unfolding.skip_step(path, "dependency_skipped", path)

    def _is_announced(self, path: str) -> bool:
        """Say whether a step is there yet: those of an item are as soon as its list is known."""
        within = self._layout.steps[path].within
        return within is None or within in self._announced

    def _tell_helper(self, sighting: Sighting, path: str | None) -> None:
        """A helper op is no step: it says something about the step that it helps."""
        if path is None:
            # The only op of the job of a flow that cannot run; it says why.
            self._problems = sighting.error or self._problems
            return
        outcome = sighting.outcome or {}
        if not self._is_announced(path) or sighting.kind == "started":
            return
        self._warnings.tell(path, sighting)
        if sighting.kind == "child_run":
            self._subflow_ops.begin(outcome, is_reused=sighting.is_reused)
        elif sighting.kind == "failed" or outcome.get("status") == "failed":
            caught_by = self._caught_by(path, outcome)
            if sighting.kind == "failed":
                caught_by = self._subflow_ops.caught_around(path, outcome)
            self._unfolding.fail(self._failed_in(path, outcome), error_of(sighting), caught_by)
            if caught_by is not None and self._layout.steps[path].runs_passes:
                self._unfolding.cancel_inside(path)
        elif self._layout.steps[path].is_judged_apart and _collects(sighting.step_key):
            self._maps.judge(path, outcome)
        elif outcome:
            self._announce(path, outcome)
            self._help(path, sighting, outcome)

    def _help(self, path: str, sighting: Sighting, outcome: Outcome) -> None:
        """Tell what a helper op of a subflow step found out."""
        node, _ = node_and_index(sighting.step_key)
        place, status = self._layout.steps[path], outcome["status"]
        if status == "completed" and node.endswith(INPUT_SUFFIX):
            if not place.is_loop:
                self._unfolding.receive(path, told_by(sighting, outcome, "input"))
        elif status == "completed" and node.endswith(OUTPUT_SUFFIX) and place.has_output_op:
            reused = {"reused": True} if sighting.kind == "reused" else {}
            self._unfolding.open_step(path)
            if place.is_loop:
                told = picked(outcome, "iteration", "ended_by", "taken")
                self._unfolding.note("loop.completed", path, told)
            self._unfolding.complete_step(path, told_by(sighting, outcome, "output") | reused)
        elif status == "skipped" and (place.has_items or place.is_loop):
            if place.runs_passes:
                self._subflow_ops.skip(path, outcome["skip_reason"], outcome["skipped_step"])
            self._unfolding.skip_step(path, outcome["skip_reason"], outcome["skipped_step"])
        elif status == "cancelled" and node.endswith(OUTPUT_SUFFIX):
            if place.runs_passes:
                self._subflow_ops.cancel(path)
            error = self._unfolding.error_of_items(path)
            if outcome["failed_subflow"] == path and error is not None:
                self._unfolding.fail(path, error, caught_by=path)
            else:
                self._unfolding.cancel_step(path)

    def _start(self, path: str, sighting: Sighting, outlook: Outcome | None) -> None:
        key = sighting.step_key
        if outlook and not outlook.get("tasks") and self._ended_elsewhere(path, outlook):
            return
        may_wait = self._layout.steps[path].is_delayed and key not in self._delayed[path]
        if outlook is None and may_wait:
            return
        attempt = self._attempts_over.get(key, 0) + 1
        self._unfolding.open_step(path)
        for index in tried(outlook, self._maps.indexes(path, key), attempt):
            # What was not tried at first was taken over from another run, and is not tried later.
            if attempt == 1 or self._unfolding.attempts_of((path, index)):
                self._unfolding.open_task((path, index), attempt, sighting.pid)

    def _report(self, path: str, sighting: Sighting) -> None:
        """Tell of an execution of a Dagster step that another one follows."""
        outcome = sighting.outcome or {}
        self._reported.add(sighting.step_key)
        if outcome["status"] != "delayed":
            self._tell_tasks(path, sighting, outcome)
            return
        if not self._delayed[path]:
            self._unfolding.note("step.delayed", path, {"delay_seconds": outcome["delay_seconds"]})
        self._delayed[path].add(sighting.step_key)

    def _retry(self, path: str, sighting: Sighting) -> None:
        """Tell of another attempt that the op knows nothing of, because its process was lost."""
        key = sighting.step_key
        if key in self._reported:
            self._reported.remove(key)
            return
        self._attempts_over[key] = self._attempts_over.get(key, 0) + 1
        for index in self._maps.indexes(path, key):
            task = (path, index)
            if self._unfolding.is_open(task):
                failure = self._failure_of(task, sighting.error)
                self._unfolding.retry_task(task, {**failure, "delay_seconds": sighting.delay})

    def _succeed(self, path: str, sighting: Sighting) -> None:
        outcome = sighting.outcome or {"status": "completed"}
        if outcome["status"] == "failed":
            self._fail(path, sighting, self._caught_by(path, outcome))
            return
        place = self._layout.steps[path]
        if place.is_whole_list:
            # Only the op itself knows how long its list is.
            self._announce(path, outcome)
        self._tell_tasks(path, sighting, outcome)
        skip = skip_of(outcome, path)
        is_cancelled = outcome["status"] == "cancelled"
        if place.is_map:
            self._maps.add(path, outcome)
        elif skip:
            self._unfolding.skip_step(path, *skip)
        elif is_cancelled:
            self._unfolding.cancel_step(path)
        else:
            self._tell_branch(path, outcome)
            data = {"reused": True} if sighting.kind == "reused" else {}
            self._unfolding.complete_step(path, data)
            self._tell_pass(path, outcome)
        if not place.is_whole_list:
            self._announce(path, outcome)

    def _tell_branch(self, path: str, outcome: Outcome) -> None:
        """Tell which ways the run takes behind a branch."""
        if isinstance(self._layout.steps[path].step, BranchStep) and "taken" in outcome:
            told = picked(outcome, "taken", "rule", "warnings")
            self._unfolding.note("branch.taken", path, told)

    def _tell_pass(self, path: str, outcome: Outcome) -> None:
        """Tell that a pass of a loop is over, and whether another one follows."""
        scope = self._layout.scopes[self._layout.steps[path].scope]
        if "again" not in outcome or scope.iteration is None:
            return
        following = pass_path(scope.step, scope.iteration + 1) if outcome["again"] else None
        if following is not None:
            self._announced.add(following)
        told = picked(outcome, "iteration", "again", "warnings")
        self._unfolding.iterate(scope.step, told, following)

    def _fail(self, path: str, sighting: Sighting, caught_by: str | None = None) -> None:
        """Tell of a failure.

        Args:
            path: The step whose op failed.
            sighting: What Dagster saw.
            caught_by: The subflow, or its item, that fails with it while its flow goes on.
        """
        error = error_of(sighting)
        if sighting.outcome is not None:
            if self._layout.steps[path].is_whole_list:
                self._announce(path, sighting.outcome)
            self._tell_tasks(path, sighting, sighting.outcome)
        for index in self._maps.indexes(path, sighting.step_key):
            task = (path, index)
            if self._unfolding.is_open(task):
                self._unfolding.end_task(task, "failed", self._failure_of(task, error))
        failed = self._failed_in(path, sighting.outcome)
        self._unfolding.fail(failed, error, caught_by)
        if caught_by is not None and failed != path:
            self._unfolding.cancel_step(path)

    def _caught_by(self, path: str, outcome: Outcome) -> str | None:
        """Return the subflow, or its item, whose failure is not that of the flow around it."""
        caught_by: str | None = outcome.get("failed_subflow")
        return caught_by if caught_by and self._is_around(caught_by, path) else None

    def _is_around(self, other: str, path: str) -> bool:
        """Say whether something is a step, or a subflow or an item that it lies in."""
        return other == path or self._layout.is_inside(self._layout.steps[path].scope, other)

    def _ended_elsewhere(self, path: str, report: Outcome) -> bool:
        """Say whether a step was only started to find out that it is not to run."""
        is_idle = report["status"] in ("skipped", "cancelled")
        return is_idle or self._failed_in(path, report) != path

    def _failed_in(self, path: str, outcome: Outcome | None) -> str:
        """Return what failed: the step of a path, or a subflow around it that may not run."""
        failed: str = (outcome or {}).get("failed_step", path)
        return failed if self._is_around(failed, path) else path

    def _announce(self, path: str, outcome: Outcome) -> None:
        """Write how many elements an op sent out, and to which steps."""
        for fed, counts in announced_in(self._layout, path, outcome):
            if not self._layout.steps[fed].has_items:
                self._maps.announce(fed, counts["tasks"], counts["batches"])
                self._unfolding.note("step.queued", fed, counts)
            elif fed not in self._announced:
                self._announced.add(fed)
                self._unfolding.note("step.queued", fed, {"tasks": counts["tasks"]})

    def _tell_tasks(self, path: str, sighting: Sighting, outcome: Outcome) -> None:
        """Tell what became of the tasks that a report is about."""
        retries = outcome["status"] == "retrying"
        for report in outcome.get("tasks", ()):
            task = (path, report["index"])
            data = self._told_of(task, report, outcome)
            is_known = self._unfolding.attempts_of(task) > 0
            if (sighting.kind == "reused" or report.get("reused")) and not is_known:
                data["reused"] = True
            else:
                data["attempt"] = self._open_attempt(task, report, sighting.step_key)
            if report["status"] == "completed":
                data |= self._output_of(task, sighting, outcome)
            if retries and report["status"] == "failed" and not report.get("final"):
                delay = {"delay_seconds": outcome["delay_seconds"]}
                self._unfolding.retry_task(task, data | delay)
            else:
                self._unfolding.end_task(task, report["status"], data)

    def _told_of(self, task: Task, report: Outcome, outcome: Outcome) -> dict[str, Any]:
        data = {"attempt": report["attempts"], "worker": outcome.get("worker")}
        if report["status"] == "failed":
            data["max_attempts"] = self._layout.steps[task[0]].max_attempts
        names = ("started_at", "completed_at", "error")
        return data | {name: report[name] for name in names if name in report}

    def _output_of(self, task: Task, sighting: Sighting, outcome: Outcome) -> dict[str, Any]:
        """Return a task's output where it is small, or else where the step's output is stored."""
        if outcome["status"] != "completed":
            return {"output_of": finished_in(sighting.step_key)}
        if "output" not in outcome:
            return {"output_of": sighting.step_key}
        path, index = task
        value = from_wire(outcome["output"])
        if isinstance(value, Batch):
            return {"output": value.values[index - value.start]}
        is_one_of = self._layout.steps[path].is_whole_list and isinstance(value, list)
        return {"output": value[index] if is_one_of else value}

    def _failure_of(self, task: Task, error: str | None) -> dict[str, Any]:
        """Return what is known of an attempt that nobody reported on."""
        return {
            "attempt": self._unfolding.attempts_of(task),
            "max_attempts": self._layout.steps[task[0]].max_attempts,
            "error": error,
        }

    def _open_attempt(self, task: Task, report: Outcome, step_key: str) -> int:
        """Make sure that an attempt that is over has begun, and return its number."""
        over = self._attempts_over.get(step_key, 0)
        self._attempts_over[step_key] = max(over, report["attempts"])
        begun = self._unfolding.attempts_of(task)
        attempt: int = max(report["attempts"], begun)
        if not self._unfolding.is_tried(task) and report["status"] == "completed":
            # A worker that was given up may work on beside the one that took over.
            attempt = max(attempt, begun + 1)
        if attempt > begun:
            self._unfolding.open_step(task[0])
            self._unfolding.open_task(task, attempt)
        return attempt

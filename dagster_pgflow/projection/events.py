"""From what Dagster saw of a run to our event log: pure, and the same every time.

Dagster tells of its own steps and of the run. What it does not tell is derived here: when a task
begins and ends, when a map step is through with all its batches, when a subrun starts and how it
ends, and that everything unfinished is cancelled when its run is over.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

from dagster_pgflow.model.run_state import LogEvent, SkipReason
from dagster_pgflow.names import FINISHED_OUTPUT
from dagster_pgflow.projection.event_writer import EventWriter
from dagster_pgflow.projection.layout import RUN_SCOPE, Layout, PinnedTree, Task
from dagster_pgflow.projection.outlook import Outcome, tried, with_outlook
from dagster_pgflow.projection.sightings import RunFacts, Sighting
from dagster_pgflow.projection.unfolding import Ending, Unfolding
from dagster_pgflow.runtime.mapping import batch_size_for
from dagster_pgflow.runtime.values import Batch, from_wire

_RUN_ENDS: Final = ("run.completed", "run.failed", "run.cancelled")


def narrate(
    facts: RunFacts, tree: PinnedTree, layout: Layout, sightings: Iterable[Sighting]
) -> list[LogEvent]:
    """Return the event log of a run.

    Args:
        facts: What is known about the run beforehand.
        tree: Its flow and every flow that it contains, at the versions that it runs.
        layout: The layout of that tree.
        sightings: What Dagster saw, in order; those of steps taken over from the run that this
            one re-executes come first.
    """
    writer = EventWriter(facts.run_id, facts.dagster_run_id, facts.created_at)
    pinned = tree[facts.flow_slug]
    queued = {
        "flow_slug": facts.flow_slug,
        "flow_version": pinned.version,
        "version_id": pinned.version_id,
        "watermark": facts.watermark,
        "dagster_run_id": str(facts.dagster_run_id),
        "retry_of": str(facts.retry_of) if facts.retry_of else None,
        "input": facts.input,
    }
    run_queued = writer.write("run.queued", queued, parent=None)
    narrator = _Narrator(layout, Unfolding(layout, writer, run_queued))
    for sighting, outlook in with_outlook(sightings):
        # What is taken over from another run happened before this one.
        if sighting.kind != "reused":
            writer.turn_to(sighting.position, sighting.at)
        narrator.tell(sighting, outlook)
    return writer.written


def cut_short(
    layout: Layout, events: Sequence[LogEvent], at: datetime, reason: str
) -> list[LogEvent]:
    """Return the event log of a run that Dagster knows no more, with a truthful end.

    Args:
        layout: The layout of the run.
        events: Its event log so far; one that has an end is returned as it is.
        at: When the loss was noticed.
        reason: One sentence about it.
    """
    if events[-1].event_type in _RUN_ENDS:
        return list(events)
    queued = events[0]
    dagster_run_id = UUID(queued.event_data["dagster_run_id"])
    writer = EventWriter(queued.run_id, dagster_run_id, at, events)
    unfolding = Unfolding(layout, writer, queued.event_id)
    unfolding.resume(events)
    unfolding.end_run("cancelled", reason)
    return writer.written


def finished_in(step_key: str) -> str:
    """Return what events call the outputs that a batch had when it failed."""
    return f"{step_key}/{FINISHED_OUTPUT}"


@dataclass
class _MapProgress:
    tasks: int
    batches: int
    done: int = 0
    skip: tuple[SkipReason, str] | None = None


class _Narrator:
    """Tells one sighting after the other.

    Args:
        layout: Where everything stands.
        unfolding: What has begun and ended so far.
    """

    def __init__(self, layout: Layout, unfolding: Unfolding) -> None:
        self._layout = layout
        self._unfolding = unfolding
        self._maps: dict[str, _MapProgress] = {}
        self._attempts_over: dict[str, int] = {}
        self._reported: set[str] = set()
        self._delayed: dict[str, set[str]] = defaultdict(set)
        self._problems: str | None = None

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
            for path, progress in self._maps.items():
                # Nobody announced the batches of this map, so only the end shows that all came.
                if progress.batches == 0 and progress.done:
                    self._finish_map(path, progress)
        elif ending == "failed" and self._unfolding.failure:
            path, reason = self._unfolding.failure
            error = f'Step "{path}" failed: {reason}'
        elif ending == "failed":
            error = self._problems or error
        self._unfolding.end_run(ending, error)

    def _tell_step(self, sighting: Sighting, outlook: Outcome | None) -> None:
        node = sighting.step_key.partition("[")[0]
        path = self._layout.step_nodes.get(node)
        if path is None:
            self._tell_helper(sighting, self._layout.helper_nodes.get(node))
            return
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
                self._fail(path, sighting)
            case "skipped":
                self._unfolding.skip_step(path, "dependency_skipped", path)

    def _tell_helper(self, sighting: Sighting, path: str | None) -> None:
        """A helper op is no step: it announces batches, or fails the step that it helps."""
        if path is None:
            # The only op of the job of a flow that cannot run; it says why.
            self._problems = sighting.error or self._problems
        elif sighting.kind == "failed":
            self._unfolding.fail_step(self._failed_in(path, sighting.outcome), _error_of(sighting))
        elif sighting.outcome:
            self._announce(self._layout.steps[path].scope, sighting.outcome)

    def _start(self, path: str, sighting: Sighting, outlook: Outcome | None) -> None:
        key = sighting.step_key
        if outlook and not outlook.get("tasks") and self._ended_elsewhere(path, outlook):
            return
        if (
            outlook is None
            and self._layout.steps[path].is_delayed
            and key not in self._delayed[path]
        ):
            return
        attempt = self._attempts_over.get(key, 0) + 1
        self._unfolding.open_step(path)
        for index in tried(outlook, self._indexes(path, key), attempt):
            # What was not tried at first was taken over from another run, and is not tried later.
            if attempt == 1 or self._unfolding.attempts_of((path, index)):
                self._unfolding.open_task((path, index), attempt)

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
        for index in self._indexes(path, key):
            task = (path, index)
            if self._unfolding.is_open(task):
                failure = self._failure_of(task, sighting.error)
                self._unfolding.retry_task(task, {**failure, "delay_seconds": sighting.delay})

    def _succeed(self, path: str, sighting: Sighting) -> None:
        outcome = sighting.outcome or {"status": "completed"}
        self._tell_tasks(path, sighting, outcome)
        skip = _skip_of(outcome, path)
        if self._layout.steps[path].is_map:
            progress = self._maps.setdefault(path, _MapProgress(0, 0))
            progress.done += 1
            progress.skip = progress.skip or skip
            if progress.done == progress.batches:
                self._finish_map(path, progress)
        elif skip:
            self._unfolding.skip_step(path, *skip)
        else:
            data = {"reused": True} if sighting.kind == "reused" else {}
            self._unfolding.complete_step(path, data)
        self._announce(self._layout.steps[path].scope, outcome)

    def _fail(self, path: str, sighting: Sighting) -> None:
        error = _error_of(sighting)
        if sighting.outcome is not None:
            self._tell_tasks(path, sighting, sighting.outcome)
        for index in self._indexes(path, sighting.step_key):
            task = (path, index)
            if self._unfolding.is_open(task):
                self._unfolding.end_task(task, "failed", self._failure_of(task, error))
        self._unfolding.fail_step(self._failed_in(path, sighting.outcome), error)

    def _ended_elsewhere(self, path: str, report: Outcome) -> bool:
        """Say whether a step was only started to find out that it is not to run."""
        return report["status"] == "skipped" or self._failed_in(path, report) != path

    def _failed_in(self, path: str, outcome: Outcome | None) -> str:
        """Return the step that failed: that of a path, or a subflow around it that may not run."""
        failed = (outcome or {}).get("failed_step", path)
        return failed if failed in self._layout.steps else path

    def _finish_map(self, path: str, progress: _MapProgress) -> None:
        if progress.skip:
            self._unfolding.skip_step(path, *progress.skip)
        else:
            self._unfolding.complete_step(path, {})

    def _announce(self, scope: str, outcome: Outcome) -> None:
        """Write how many tasks the map steps have whose batches an op sent out."""
        for slug, counts in outcome.get("fans_out", {}).items():
            path = slug if scope == RUN_SCOPE else f"{scope}.{slug}"
            if path in self._layout.steps:
                self._maps[path] = _MapProgress(counts["tasks"], counts["batches"])
                self._unfolding.note("step.queued", path, counts)

    def _indexes(self, path: str, step_key: str) -> range:
        """Return the indexes of the tasks that a Dagster step works on, empty when unknown."""
        batched_as = self._layout.steps[path].batched_as
        if batched_as is None:
            return range(1)
        key = step_key.partition("[")[2].removesuffix("]")
        progress = self._maps.get(path)
        if progress is None or not key.isdecimal():
            return range(0)
        size = batch_size_for(batched_as, progress.tasks)
        start = int(key) * size
        return range(start, min(start + size, progress.tasks))

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
                data |= _output_of(report["index"], sighting, outcome)
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


def _error_of(sighting: Sighting) -> str:
    return sighting.error or "unknown error"


def _skip_of(outcome: Outcome, path: str) -> tuple[SkipReason, str] | None:
    if outcome["status"] != "skipped":
        return None
    return outcome["skip_reason"], outcome.get("skipped_step", path)


def _output_of(index: int, sighting: Sighting, outcome: Outcome) -> dict[str, Any]:
    """Return a task's output where it is small, or else where the step's output is stored."""
    if outcome["status"] != "completed":
        return {"output_of": finished_in(sighting.step_key)}
    if "output" not in outcome:
        return {"output_of": sighting.step_key}
    value = from_wire(outcome["output"])
    return {"output": value.values[index - value.start] if isinstance(value, Batch) else value}

"""The events of tasks: what an op reports of each, and what follows where nobody reports.

A process that was lost reports nothing, so its attempts are counted here.
"""

from collections.abc import Iterable
from typing import Any

from dagster_pgflow.dagster_log.run_events import RunEvent
from dagster_pgflow.projection.layout.layout import Layout, Task
from dagster_pgflow.projection.translate.event_data import task_data, task_output_data
from dagster_pgflow.projection.translate.run_lifecycle import RunLifecycle
from dagster_pgflow.reports.report import OpReport, StepRetrying
from dagster_pgflow.reports.task_report import TaskReport
from dagster_pgflow.step_path import StepPath


class TaskEvents:
    """Writes how the attempts of tasks begin and end.

    Args:
        layout: Where everything stands.
        lifecycle: What has begun and ended so far.
    """

    def __init__(self, layout: Layout, lifecycle: RunLifecycle) -> None:
        self._layout = layout
        self._lifecycle = lifecycle
        self._over: dict[str, int] = {}
        self._begun: set[str] = set()

    def attempts_over(self, step_key: str) -> int:
        """Return how many attempts of a Dagster step are over."""
        return self._over.get(step_key, 0)

    def write(self, path: StepPath, run_event: RunEvent, report: OpReport | None) -> None:
        """Write what became of the tasks that a report is about.

        Args:
            path: Their step.
            run_event: What Dagster saw.
            report: What the op reported, if it has.
        """
        self._begun.discard(run_event.step_key)
        if report is None:
            return
        place = self._layout.steps[path]
        for one in report.tasks:
            task = (path, one.index)
            data = task_data(one, report.worker, place.max_attempts)
            is_known = self._lifecycle.attempts_of(task) > 0
            if (run_event.kind == "reused" or one.is_reused) and not is_known:
                data["reused"] = True
            else:
                data["attempt"] = self._open(task, one, run_event.step_key)
            if one.status == "completed":
                data |= task_output_data(
                    run_event, report, one.index, is_whole_list=place.is_whole_list
                )
            if isinstance(report, StepRetrying) and one.status == "failed" and not one.is_final:
                delay = {"delay_seconds": report.delay_seconds}
                self._lifecycle.retry_task(task, data | delay)
            else:
                self._lifecycle.end_task(task, one.status, data)

    def lose(self, path: StepPath, indexes: Iterable[int], run_event: RunEvent) -> None:
        """Write that an attempt was lost with its process, and that another one follows.

        Args:
            path: The step.
            indexes: The tasks that the Dagster step works on.
            run_event: What Dagster says of that.
        """
        key = run_event.step_key
        self._begun.discard(key)
        self._over[key] = self.attempts_over(key) + 1
        for task in self._at_work(path, indexes):
            failure = self._failure_of(task, run_event.error)
            self._lifecycle.retry_task(task, {**failure, "delay_seconds": run_event.delay})

    def begin(self, step_key: str) -> int:
        """Note that an attempt of a Dagster step begins; return its number."""
        self._begun.add(step_key)
        return self.attempts_over(step_key) + 1

    def lose_all(self, error: str) -> None:
        """Write that all attempts under way are lost, and that others follow in another run.

        Args:
            error: What Dagster says of that.
        """
        for task in self._lifecycle.tasks_tried():
            failure = self._failure_of(task, error)
            self._lifecycle.retry_task(task, {**failure, "delay_seconds": 0})
        for step_key in self._begun:
            self._over[step_key] = self.attempts_over(step_key) + 1
        self._begun.clear()

    def fail(self, path: StepPath, indexes: Iterable[int], error: str) -> None:
        """Write that tasks which are still at work fail with their op."""
        for task in self._at_work(path, indexes):
            self._lifecycle.end_task(task, "failed", self._failure_of(task, error))

    def _at_work(self, path: StepPath, indexes: Iterable[int]) -> list[Task]:
        tasks = ((path, index) for index in indexes)
        return [task for task in tasks if self._lifecycle.is_open(task)]

    def _failure_of(self, task: Task, error: str | None) -> dict[str, Any]:
        """Return what is known of an attempt that nobody reported on."""
        return {
            "attempt": self._lifecycle.attempts_of(task),
            "max_attempts": self._layout.steps[task[0]].max_attempts,
            "error": error,
        }

    def _open(self, task: Task, report: TaskReport, step_key: str) -> int:
        """Make sure that an attempt that is over has begun, and return its number."""
        over = self._over.get(step_key, 0)
        self._over[step_key] = max(over, report.attempts)
        begun = self._lifecycle.attempts_of(task)
        attempt = max(report.attempts, begun)
        if not self._lifecycle.is_tried(task) and report.status == "completed":
            # A worker that was given up may work on beside the one that took over.
            attempt = max(attempt, begun + 1)
        if attempt > begun:
            self._lifecycle.open_step(task[0])
            self._lifecycle.open_task(task, attempt)
        return attempt

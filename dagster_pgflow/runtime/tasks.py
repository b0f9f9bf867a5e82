"""The tasks of one execution of a step: attempts, their reports, and what failure leads to."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dagster_pgflow.model.options import RetryPolicy
from dagster_pgflow.model.steps import MapStep
from dagster_pgflow.model.steps.fields import StepBase
from dagster_pgflow.reports.reading import task_from_json
from dagster_pgflow.reports.task_report import TaskReport
from dagster_pgflow.reports.told import why_told
from dagster_pgflow.reports.writing import task_to_json
from dagster_pgflow.runtime.backoff import delay_before
from dagster_pgflow.runtime.failures import exhausted
from dagster_pgflow.runtime.guarded import CallRefused
from dagster_pgflow.runtime.values import Skipped
from dagster_pgflow.step_errors import NonRetryable, RetryAfter, StepError
from dagster_pgflow.step_path import StepPath

Call = Callable[[int, Any], Any]
"""Runs one attempt: takes the task index and its input, returns the output or raises."""


class TryAgain(Exception):
    """The step must be tried again.

    Attributes:
        seconds: The delay before the next attempt.
        error: What went wrong.
    """

    def __init__(self, seconds: float, error: StepError) -> None:
        self.seconds = seconds
        self.error = error
        super().__init__(str(error))


@dataclass
class Tasks:
    """Runs the tasks of one execution and keeps a report of each.

    Attributes:
        step: The step.
        path: The step's path in the run.
        retry_policy: How often and how long it may be tried.
        attempt: Which attempt this execution is, from 1.
        reports: What became of each task so far, by index.
        errors: What went wrong, by index: in this attempt, or before it and for good.
        whole_list: How many elements its step has, where this execution is for all of them.
        assets: What is to be told of assets once the step has completed, by index.
    """

    step: StepBase
    path: StepPath
    retry_policy: RetryPolicy
    attempt: int
    reports: dict[int, TaskReport] = field(default_factory=dict)
    errors: dict[int, StepError] = field(default_factory=dict)
    whole_list: int | None = None
    assets: dict[int, tuple[str, ...]] = field(default_factory=dict)

    @property
    def collects_errors(self) -> bool:
        """Whether a task that failed for good leaves an error in the place of its output."""
        return isinstance(self.step, MapStep) and self.step.collects

    @property
    def counted_failures(self) -> tuple[int, ...]:
        """The indexes of the tasks that failed, where the step says how many may."""
        counts = isinstance(self.step, MapStep) and self.step.bounds_failures
        return tuple(sorted(self.errors)) if counts else ()

    @property
    def tried(self) -> tuple[TaskReport, ...]:
        """The reports of the tasks that were tried in this attempt, by index."""
        return tuple(report for report in self.news if not report.is_reused)

    @property
    def news(self) -> tuple[TaskReport, ...]:
        """The reports of the tasks that were tried in this attempt, or need not be in any."""
        return tuple(
            report
            for report in self.reported
            if report.is_reused or report.attempts == self.attempt
        )

    @property
    def reported(self) -> tuple[TaskReport, ...]:
        """The reports by index, whichever attempt they are from."""
        return tuple(self.reports[index] for index in sorted(self.reports))

    def run(self, index: int, value: Any, call: Call) -> Any:
        """Run one task; return its output, or `None` after an error that is kept."""
        started_at = time.time()
        try:
            output = call(index, value)
        except StepError as error:
            self.errors[index] = error
            self._report(index, started_at, error)
            return None
        self._report(index, started_at)
        return output

    def settle(self) -> Skipped | None:
        """Say what follows from the errors: nothing, a skip, or another attempt.

        A task that must not be tried again takes no attempts from the others.

        Raises:
            TryAgain: Attempts are left.
            StepError: None is left, `when_exhausted` is `fail`, and errors are not collected, or
                are too many.
        """
        if not self.errors:
            return None
        errors = list(self.errors.values())
        passing = [error for error in errors if not isinstance(error, NonRetryable)]
        if passing and self.attempt < self.retry_policy.max_attempts:
            raise TryAgain(max(self._delay(error) for error in passing), passing[0])
        if isinstance(self.step, MapStep) and self.step.collects:
            return self._judged(self.step)
        if self.step.when_exhausted == "fail":
            raise next((error for error in errors if isinstance(error, NonRetryable)), errors[0])
        return Skipped(
            "handler_failed",
            self.path,
            cascade=self.step.when_exhausted == "skip-cascade",
            why=why_told(f"its last attempt failed: {errors[0]}"),
        )

    def _judged(self, step: MapStep) -> Skipped | None:
        """Say what follows from errors that are collected: too many are judged where all are."""
        of = self.whole_list
        if of is None or step.bears(len(self.errors), of):
            return None
        first = self.errors[min(self.errors)]
        return exhausted(step, self.path, len(self.errors), of, str(first))

    def finished(self, outputs: Mapping[int, Any]) -> dict[str, Any]:
        """Return as JSON what must not be done again: tasks completed, or failed for good.

        Args:
            outputs: The outputs of the completed ones by index.
        """
        told: dict[str, Any] = {
            str(index): {"report": task_to_json(report)}
            for index, report in self.reports.items()
            if index in outputs or isinstance(self.errors.get(index), NonRetryable)
        }
        for index, output in outputs.items():
            told[str(index)]["output"] = output
            if index in self.assets:
                told[str(index)]["assets"] = list(self.assets[index])
        return told

    def reuse(self, finished: Mapping[str, Any]) -> dict[int, Any]:
        """Take over what an earlier run completed; return the outputs by index.

        What failed there for good gets another chance.
        """
        outputs: dict[int, Any] = {}
        for key, told in finished.items():
            if "output" in told:
                outputs[int(key)] = told["output"]
                report = task_from_json(told["report"])
                self.reports[int(key)] = replace(report, is_reused=True)
                self._recall_assets(int(key), told)
        return outputs

    def resume(self, finished: Mapping[str, Any]) -> dict[int, Any]:
        """Take over what an earlier attempt finished; return the outputs by index."""
        outputs: dict[int, Any] = {}
        for key, told in finished.items():
            index, report = int(key), task_from_json(told["report"])
            self.reports[index] = report
            if report.error is None:
                outputs[index] = told["output"]
                self._recall_assets(index, told)
            else:
                self.errors[index] = NonRetryable(report.error)
        return outputs

    def notes_of_assets(self) -> list[str]:
        """Return what is to be told of the assets of the completed tasks, by index."""
        return [
            note
            for report in self.reported
            if report.status == "completed"
            for note in self.assets.get(report.index, ())
        ]

    def _recall_assets(self, index: int, told: Mapping[str, Any]) -> None:
        # What an earlier version kept says nothing of assets.
        if "assets" in told:
            self.assets[index] = tuple(told["assets"])

    def _delay(self, error: StepError) -> float:
        if isinstance(error, RetryAfter):
            return min(max(error.seconds, 0.0), float(self.retry_policy.max_delay))
        delay = delay_before(self.attempt + 1, self.retry_policy)
        if isinstance(error, CallRefused):
            return max(delay, min(error.seconds, float(self.retry_policy.max_delay)))
        return delay

    def _report(self, index: int, started_at: float, error: StepError | None = None) -> None:
        message = None if error is None else str(error)
        ended_at = time.time()
        self.reports[index] = TaskReport(
            index,
            "completed" if error is None else "failed",
            self.attempt,
            started_at,
            ended_at,
            message,
            is_final=isinstance(error, NonRetryable),
        )

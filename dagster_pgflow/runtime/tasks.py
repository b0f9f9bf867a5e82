"""The tasks of one execution of a step: attempts, their reports, and what failure leads to."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dagster_pgflow.errors import NonRetryable, RetryAfter, StepError
from dagster_pgflow.model.options import Effort
from dagster_pgflow.model.step import Step
from dagster_pgflow.runtime.backoff import delay_before
from dagster_pgflow.runtime.outcome import TaskReport, TaskStatus
from dagster_pgflow.runtime.values import Skipped

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
        effort: How often and how long it may be tried.
        attempt: Which attempt this execution is, from 1.
        reports: What became of each task so far, by index.
        errors: What went wrong in this attempt.
    """

    step: Step
    path: tuple[str, ...]
    effort: Effort
    attempt: int
    reports: dict[int, TaskReport] = field(default_factory=dict)
    errors: list[StepError] = field(default_factory=list)

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
            self.errors.append(error)
            self._report(index, started_at, error)
            return None
        self._report(index, started_at)
        return output

    def settle(self) -> Skipped | None:
        """Say what follows from the errors: nothing, a skip, or another attempt.

        Raises:
            TryAgain: Attempts are left.
            StepError: None is left, and `when_exhausted` is `fail`.
        """
        if not self.errors:
            return None
        final = next((error for error in self.errors if isinstance(error, NonRetryable)), None)
        if final is None and self.attempt < self.effort.max_attempts:
            raise TryAgain(max(self._delay(error) for error in self.errors), self.errors[0])
        if self.step.when_exhausted == "fail":
            raise final or self.errors[0]
        return Skipped(
            "handler_failed", self.path, cascade=self.step.when_exhausted == "skip-cascade"
        )

    def _delay(self, error: StepError) -> float:
        if isinstance(error, RetryAfter):
            return max(error.seconds, 0.0)
        return delay_before(self.attempt + 1, self.effort.base_delay)

    def _report(self, index: int, started_at: float, error: StepError | None = None) -> None:
        status: TaskStatus = "completed" if error is None else "failed"
        message = None if error is None else str(error)
        ended_at = time.time()
        self.reports[index] = TaskReport(index, status, self.attempt, started_at, ended_at, message)

"""Reads the run tables for people who ask how a run is doing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import RowMapping

from dagster_pgflow.errors import StoreRefused
from dagster_pgflow.model.execution import LoopEnd
from dagster_pgflow.model.run_state import RunStatus, SkipReason, StepStatus
from dagster_pgflow.step_path import StepPath
from dagster_pgflow.store.database import Database, Transaction
from dagster_pgflow.store.deliveries import DeliveryReport

LEAST_DIGITS = 4
ATTEMPTS_SHOWN = 100
WARNINGS_SHOWN = 100
_BEGINNING = re.compile(rf"[0-9a-f-]{{{LEAST_DIGITS},36}}")


@dataclass(frozen=True)
class RunSummary:
    """A row of `pgflow.runs`.

    Attributes:
        ended_at: When it completed, failed or was cancelled.
        waiting_for: What it waits for, in words, as long as it waits.
        seen_at: What time it was for the store when the row was read.
    """

    run_id: UUID
    dagster_run_id: UUID | None
    flow_slug: str
    flow_version: int | None
    status: RunStatus
    input: Any
    output: Any
    error_message: str | None
    retry_of: UUID | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    waiting_for: str | None
    seen_at: datetime

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status not in ("queued", "started", "waiting")


@dataclass(frozen=True)
class StepReport:
    """A row of `pgflow.step_states`, with its tasks counted.

    Attributes:
        tasks: How many tasks it has, or items where it is a subflow that runs once for each; none
            while that is unknown.
        has_items: Whether it is a subflow that runs for at least one item of a list.
        tasks_waiting: How many tasks wait for another attempt.
        attempts: The most tries that one of its tasks took.
        attempts_failed: How many attempts of its tasks failed, those that others followed too.
        next_at: When it goes on: with its first attempt after a start delay, or with the earliest
            attempt of its tasks that wait; none when nothing waits for a time.
        subrun_path: The subrun that it belongs to, unless it is a step of the run's own flow.
        iteration: Of a loop that has begun: which iteration it is in or ended with, from 1.
        max_iterations: Of such a loop: how many iterations there may be.
        ended_by: Of a loop that completed: for which path and why.
        place: Where in its flow it is written, from 1; 0 when the flow does not say.
        is_final: Whether its output is in that of its flow, since nothing depends on it.
        waiting_for: What it waits for, in words, as long as it waits.
        why: Why it was skipped, or how the run goes on behind it, in words; of runs that older code
            executed, nothing.
        waits_as: What kind of step it is whose answer, signal or time has not come.
        due_at: When it goes on at the latest.
        answerers: Who may answer; everybody where there are none.
        signal: The signal that it waits for.
        signal_key: Which of those of this name.
    """

    step_path: StepPath
    step_slug: str
    flow_slug: str
    step_type: str
    status: StepStatus
    skip_reason: SkipReason | None
    tasks: int | None
    tasks_done: int
    tasks_failed: int
    tasks_waiting: int
    has_items: bool
    attempts: int
    attempts_failed: int
    next_at: datetime | None
    output: Any
    error_message: str | None
    subrun_path: str | None
    iteration: int | None
    max_iterations: int | None
    ended_by: LoopEnd | None
    place: int
    is_final: bool
    started_at: datetime | None
    ended_at: datetime | None
    waiting_for: str | None
    waiting_since: datetime | None
    why: str | None
    waits_as: Literal["approval", "wait", "sleep"] | None
    due_at: datetime | None
    answerers: Sequence[str]
    signal: str | None
    signal_key: str | None

    @property
    def is_counted(self) -> bool:
        """Whether it is a step of many tasks or items."""
        return (self.step_type == "map" or self.has_items) and self.tasks is not None

    @property
    def parent_path(self) -> StepPath:
        """The path of the step that it lies in, empty for a step of the run's own flow."""
        return self.step_path.scope.step


@dataclass(frozen=True)
class SubrunReport:
    """A row of `pgflow.subruns`."""

    subrun_path: str
    subflow_slug: str
    parent_step_slug: str
    status: StepStatus
    map_index: int | None
    input: Any
    output: Any
    error_message: str | None
    started_at: datetime | None
    ended_at: datetime | None
    dagster_run_id: UUID | None


@dataclass(frozen=True)
class FailedAttempt:
    """A row of `pgflow.node_executions` that failed, and what follows from it.

    Attributes:
        attempt: Which try it was, from 1.
        max_attempts: How many tries the task has in all.
        is_last: Whether it is the task's last attempt so far.
        next_at: When the next attempt begins at the earliest, while the task waits for it.
    """

    step_path: str
    task_index: int
    step_type: str
    attempt: int
    max_attempts: int | None
    error: str | None
    worker_id: str | None
    started_at: datetime
    failed_at: datetime
    is_last: bool
    next_at: datetime | None


@dataclass(frozen=True)
class RunCounts:
    """What a run has cost so far.

    Attributes:
        steps_executed: Steps that completed and whose handler this run tried.
        retries: Attempts of tasks behind the first one.
        tokens_left: Routes that the run has taken and not yet come to the end of; 0 when it is
            over.
    """

    steps_executed: int
    steps_failed: int
    steps_skipped: int
    retries: int
    tokens_left: int | None


@dataclass(frozen=True)
class RunWarning:
    """Something odd that failed nothing, such as a condition without an answer."""

    step_path: str
    message: str


@dataclass(frozen=True)
class RunReport:
    """A run with its steps and subruns.

    Attributes:
        failed_attempts: The latest ones, the oldest of them first.
        counts: None before Dagster has the run.
        unread_because: Why what is shown may be old: the run cannot be read at present.
        warnings: The first ones, in the order in which they came.
        waits_for: Of a run that was asked for and that Dagster has not begun: why, in words.
        deliveries: What the webhook of its flow was told, or is to be told.
    """

    run: RunSummary
    steps: tuple[StepReport, ...]
    subruns: tuple[SubrunReport, ...]
    failed_attempts: tuple[FailedAttempt, ...] = ()
    counts: RunCounts | None = None
    unread_because: str | None = None
    warnings: tuple[RunWarning, ...] = ()
    waits_for: str | None = None
    deliveries: tuple[DeliveryReport, ...] = ()

    @property
    def left_out(self) -> tuple[StepReport, ...]:
        """The final steps that a completed run lacks in its output, since they were skipped."""
        if self.run.status != "completed":
            return ()
        final = (step for step in self.steps if step.is_final and not step.step_path.scope)
        return tuple(step for step in final if step.status == "skipped")


class RunStatusReader:
    """Reads runs, all of one moment."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def latest(
        self, limit: int, flow_slug: str | None = None, status: RunStatus | None = None
    ) -> tuple[RunSummary, ...]:
        """Return the newest runs, the newest first.

        Args:
            limit: How many at most.
            flow_slug: Only runs of this flow.
            status: Only runs of this status.
        """
        rows = self._database.fetch_all(
            "fetch_latest_runs", limit=limit, flow_slug=flow_slug, status=status
        )
        return tuple(RunSummary(**row) for row in rows)

    def summary(self, run_id: UUID) -> RunSummary:
        """Return a run without its steps.

        Raises:
            StoreRefused: There is no such run.
        """
        row = self._database.fetch_one("fetch_run_report", run_id=str(run_id))
        if row is None:
            raise _no_run(str(run_id))
        return RunSummary(**row)

    def report(self, run_id: UUID) -> RunReport:
        """Return a run with its steps and subruns.

        Args:
            run_id: The run's id in `pgflow.runs`, or its id in Dagster.

        Raises:
            StoreRefused: There is no such run.
        """
        return self._database.run(lambda transaction: _report(transaction, run_id))

    def seconds_since_sensors(self) -> float | None:
        """Return how long ago a sensor last kept the run tables; none when none ever did."""
        seconds = self._database.fetch_value("fetch_seconds_since_sensors")
        return None if seconds is None else float(seconds)

    def find(self, beginning: str) -> UUID:
        """Return the run whose id, ours or Dagster's, begins so.

        Args:
            beginning: At least four digits of the id.

        Raises:
            StoreRefused: There is none, or more than one.
        """
        wanted = beginning.strip().lower()
        if not _BEGINNING.fullmatch(wanted):
            raise StoreRefused(
                f'"{beginning}" is not a run id; give one as `dagster-pgflow status` lists them, or'
                f" at least its first {LEAST_DIGITS} digits."
            )
        rows = self._database.fetch_all("fetch_run_ids_by_prefix", prefix=wanted)
        if not rows:
            raise _no_run(beginning)
        if len(rows) > 1:
            raise StoreRefused(f"More than one run id begins with {beginning}; give more of it.")
        run_id: UUID = rows[0]["run_id"]
        return run_id


def _report(transaction: Transaction, run_id: UUID) -> RunReport:
    row = transaction.fetch_one("fetch_run_report", run_id=str(run_id))
    if row is None:
        raise _no_run(str(run_id))
    run = RunSummary(**row)
    steps = transaction.fetch_all("fetch_step_reports", run_id=str(run.run_id))
    subruns = transaction.fetch_all("fetch_subrun_reports", run_id=str(run.run_id))
    counts = transaction.fetch_one("fetch_run_counts", run_id=str(run.run_id))
    unread_because = transaction.fetch_value("fetch_why_unread", run_id=str(run.run_id))
    warnings = transaction.fetch_all(
        "fetch_run_warnings", run_id=str(run.run_id), limit=WARNINGS_SHOWN
    )
    waits_for = None
    if run.status == "queued" and run.dagster_run_id is None:
        waits_for = transaction.fetch_value("fetch_why_waiting", run_id=str(run.run_id))
    elif run.status == "waiting":
        waits_for = transaction.fetch_value("fetch_why_not_on", run_id=str(run.run_id))
    deliveries = transaction.fetch_all("fetch_deliveries_of_run", run_id=str(run.run_id))
    failed = transaction.fetch_all(
        "fetch_failed_attempts", run_id=str(run.run_id), limit=ATTEMPTS_SHOWN
    )
    return RunReport(
        run,
        _in_order_of_flow([_step_report(step) for step in steps]),
        tuple(SubrunReport(**subrun) for subrun in subruns),
        tuple(FailedAttempt(**attempt) for attempt in failed),
        None if counts is None else RunCounts(**counts),
        unread_because,
        tuple(RunWarning(**warning) for warning in warnings),
        waits_for,
        tuple(DeliveryReport(**delivery) for delivery in deliveries),
    )


def _step_report(row: RowMapping) -> StepReport:
    return StepReport(**{**row, "step_path": StepPath(row["step_path"])})


def _in_order_of_flow(steps: Sequence[StepReport]) -> tuple[StepReport, ...]:
    """Sort steps as their flows are written, those of a subflow behind its step."""
    places = {step.step_path: step.place for step in steps}

    def place(step: StepReport) -> list[tuple[int, int]]:
        around = step.step_path.from_outside()
        return [
            (places.get(path.step, 0), -1 if path.number is None else path.number)
            for path in around
        ]

    return tuple(sorted(steps, key=place))


def _no_run(run_id: str) -> StoreRefused:
    return StoreRefused(f"There is no run {run_id}; `dagster-pgflow status` lists the latest runs.")

"""Follows runs to their end, and prints what happens in them meanwhile."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from dagster_pgflow.cli.attempts import attempt_line
from dagster_pgflow.cli.console import Printer, duration
from dagster_pgflow.cli.waits import goes_on
from dagster_pgflow.errors import PgflowError
from dagster_pgflow.store.run_status import (
    FailedAttempt,
    RunReport,
    RunStatusReader,
    RunSummary,
    StepReport,
)

POLL_S = 0.5
HINT_AFTER_S = 10.0
BESIDE_SENSORS_AFTER_S = 30.0
"""A queue of requests, or a busy daemon, takes some ticks."""

SILENCE_S = 30.0
"""Sensors that run leave a mark every five seconds or so."""

TASKS_EVERY_S = 2.0

HINT = (
    "Nothing has picked this run up yet, and no sensor was seen for a while. Is Dagster running"
    " with its daemon (`dagster dev`), on this database, and are the sensors of the code location"
    " turned on? The request is kept meanwhile; `dagster-pgflow doctor` says more."
)
HINT_BESIDE_SENSORS = (
    "Nothing has picked this run up yet, though a sensor is at work on this database."
    " `dagster-pgflow status` says what it waits for, and `dagster-pgflow doctor` what may be"
    " wrong, such as a code location that does not load."
)
NO_SENSOR = (
    "no sensor is at work on this database. Start Dagster with its daemon (`dagster dev`), or turn"
    " on the sensors of the code location in its web UI."
)
NO_REQUEST_SENSOR = (
    "sensors are at work on this database, but the one whose name ends in _requests has not begun"
    " it; `dagster-pgflow doctor` says more."
)


class RunGoesOn(PgflowError):
    """The time to wait is over, a run is not."""


@dataclass
class ProgressPrinter:
    """Prints each change of a run once.

    Attributes:
        say: Prints a line.
        with_run: Whether each line names the run, for those who watch several.
    """

    say: Printer
    with_run: bool = False
    _shown: dict[str, tuple[str, int]] = field(default_factory=dict)
    _shown_attempts: set[tuple[str, int, int]] = field(default_factory=set)
    _shown_tasks_at: float = 0.0
    _name: str = ""

    def show(self, report: RunReport) -> None:
        """Print what has changed since the last time."""
        run = report.run
        self._name = f"{str(run.run_id)[:8]} {run.flow_slug}: " if self.with_run else ""
        if not run.is_over:
            self._show_run(run)
        for attempt in report.failed_attempts:
            self._show_attempt(attempt)
        for step in report.steps:
            self._show_step(run.run_id, step)
        if run.is_over and self.with_run:
            self._show_run(run)

    def _show_run(self, run: RunSummary) -> None:
        if self._shown.get("") != (run.status, 0):
            self._shown[""] = (run.status, 0)
            self.say(f"{self._name}run {run.run_id} {run.status}")

    def _show_attempt(self, attempt: FailedAttempt) -> None:
        one = (attempt.step_path, attempt.task_index, attempt.attempt)
        if one not in self._shown_attempts:
            self._shown_attempts.add(one)
            self.say(f"{self._name}{attempt_line(attempt)}")

    def _show_step(self, run_id: UUID, step: StepReport) -> None:
        shown = self._shown.get(step.step_path, ("created", 0))
        if step.status != shown[0]:
            self._shown[step.step_path] = (step.status, step.tasks_done)
            self.say(f"{self._name}{step_line(step)}")
            if step.status == "waiting":
                self.say(f"{self._name}{goes_on(run_id, step)}")
        elif step.status == "started" and step.tasks_done != shown[1] and (step.tasks or 0) > 1:
            now = time.monotonic()
            if now - self._shown_tasks_at > TASKS_EVERY_S:
                self._shown_tasks_at = now
                self._shown[step.step_path] = (step.status, step.tasks_done)
                self.say(f"{self._name}{step_line(step)}")


def step_line(step: StepReport) -> str:
    """Return a step and its state as a line."""
    parts = [f"{step.step_path}: {step.status}"]
    if step.waiting_for:
        parts.append(f"for {step.waiting_for}")
    if step.skip_reason:
        parts.append(f"({step.why or step.skip_reason.replace('_', ' ')})")
    if step.is_counted:
        parts.append(f"{step.tasks_done}/{step.tasks}")
    took = duration(step.started_at, step.ended_at)
    if took and step.status != "skipped":
        parts.append(f"in {took}")
    if step.attempts > 1 and step.status != "started":
        parts.append(f"({step.attempts} attempts)")
    line = " ".join(parts)
    return f"{line}, {step.why}" if step.why and step.status == "completed" else line


def wait_for_ends(
    reader: RunStatusReader,
    printers: Mapping[UUID, ProgressPrinter],
    timeout: float | None = None,
    each_time: Callable[[], None] = lambda: None,
    pause: Callable[[float], object] = time.sleep,
) -> dict[UUID, RunReport]:
    """Return runs once all of them are over.

    Args:
        printers: For each run, who is shown every state that is seen.
        timeout: Seconds; without it the wait has no end.
        each_time: Called while waiting; it raises when there is nothing more to wait for.
        pause: Waits until the next look for so many seconds, or less when there is news.

    Raises:
        RunGoesOn: The time is over; it says which runs go on and which nobody has begun.
    """
    deadline = float("inf") if timeout is None else time.monotonic() + timeout
    seen: dict[UUID, RunReport] = {}
    while True:
        each_time()
        for run_id, printer in printers.items():
            if run_id not in seen or not seen[run_id].run.is_over:
                seen[run_id] = reader.report(run_id)
                printer.show(seen[run_id])
        going_on = [report.run for report in seen.values() if not report.run.is_over]
        if not going_on:
            return seen
        if time.monotonic() > deadline:
            raise RunGoesOn("\n".join(_not_over(reader, run, timeout or 0) for run in going_on))
        pause(POLL_S)


def _not_over(reader: RunStatusReader, run: RunSummary, timeout: float) -> str:
    short_id = str(run.run_id)[:8]
    if run.status == "queued" and run.dagster_run_id is None:
        reason = NO_SENSOR if _are_sensors_silent(reader) else NO_REQUEST_SENSOR
        return (
            f"Nobody picked up run {run.run_id} within {timeout:g} s: {reason} The request is"
            f" kept; `dagster-pgflow cancel {short_id}` takes it back."
        )
    state = "waits in Dagster's queue" if run.status == "queued" else "goes on"
    return (
        f"Run {run.run_id} has not ended within {timeout:g} s and {state};"
        f" `dagster-pgflow status {short_id}` shows its progress."
    )


def _are_sensors_silent(reader: RunStatusReader) -> bool:
    silence = reader.seconds_since_sensors()
    return silence is None or silence > SILENCE_S


def hints(reader: RunStatusReader, run_id: UUID, say: Printer) -> Callable[[], None]:
    """Return what says once, while a run waits, why nobody may be there to start it."""
    said: list[str] = []

    def look() -> None:
        run = reader.summary(run_id)
        waited = (run.seen_at - run.created_at).total_seconds()
        if said or run.status != "queued" or waited < HINT_AFTER_S:
            return
        if _are_sensors_silent(reader):
            said.append(HINT)
        elif waited >= BESIDE_SENSORS_AFTER_S and run.dagster_run_id is None:
            said.append(HINT_BESIDE_SENSORS)
        for hint in said:
            say(hint)

    return look

"""What the ops of a run report, compared with what the reference tells of it."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from dagster_pgflow.dagster_log.op_reports import report_in
from dagster_pgflow.names import RESULT_OUTPUT, dagster_name, is_helper
from dagster_pgflow.reports.report import StepEnd, StepFailed, StepSkipped
from dagster_pgflow.runtime.values import Batch, from_wire
from tests.reference.drawing import Drawn
from tests.reference.endings import WHY
from tests.reference.expected_run import ExpectedRun
from tests.reference.tables import assert_equal, text_of
from tests.reference.traces import calm, fails_by_itself, is_failure_data

Texts = Mapping[tuple[str, str, str], str]
"""Stored outputs by step key, output and mapping key."""
INDEX = re.compile(r"\[\d+\]")
ITSELF = re.compile(r"\[\d+\]$")


@dataclass
class Reports:
    """What ops reported last.

    Attributes:
        ends: What the ops of each step reported at their ends, by its path.
        sent: What each of them sent on.
        failed: The steps that something says have failed.
        skipped: Why subflow steps were skipped.
        without_op: The keys of the ops that Dagster has skipped itself.
    """

    ends: dict[str, list[StepEnd]] = field(default_factory=dict)
    sent: dict[str, list[Any]] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    skipped: dict[str, str] = field(default_factory=dict)
    without_op: set[str] = field(default_factory=set)

    def read(self, events: Iterable[dg.DagsterEvent], texts: Texts) -> None:
        """Read the events of a run, or of one inside it."""
        for event in events:
            if event.event_type is dg.DagsterEventType.STEP_SKIPPED:
                self.without_op.add(event.step_key or "")
            for report in _ends_of(event):
                self._note(event.step_key or "", report, texts)

    def _note(self, step_key: str, report: StepEnd, texts: Texts) -> None:
        if isinstance(report, StepFailed):
            self.failed.add(report.failed_step)
        if isinstance(report, StepSkipped) and report.skipped_step != report.step:
            self.skipped[report.skipped_step] = report.skip_reason
        if is_helper(step_key.partition("[")[0]):
            return
        self.ends.setdefault(report.step, []).append(report)
        text = texts.get((step_key, RESULT_OUTPUT, ""), "null")
        self.sent.setdefault(report.step, []).append(from_wire(json.loads(text)))

    def ending(self, path: str) -> tuple[str, str | None]:
        """Return how a step ended, and why it was skipped."""
        ends = self.ends.get(path, [])
        if not ends and self._is_cut_off(path):
            return "skipped", "dependency_skipped" if "." in path else "not_taken"
        statuses = {_status(path, report) for report in ends} or {"cancelled"}
        order = ("failed", "cancelled", "skipped", "completed")
        status = next(status for status in order if status in statuses)
        if status != "skipped":
            return status, None
        skip = next(report for report in ends if isinstance(report, StepSkipped))
        within = skip.skipped_step != path
        return status, "dependency_skipped" if within else skip.skip_reason

    def _is_cut_off(self, path: str) -> bool:
        """Return whether Dagster skipped a step, as only one of the top flow or in a subflow."""
        return ".".join(map(dagster_name, path.split("."))) in self.without_op

    def output(self, path: str) -> Any:
        """Return what a completed step sent on."""
        batches = [value for value in self.sent[path] if isinstance(value, Batch)]
        if not batches:
            return self.sent[path][0]
        in_order = sorted(batches, key=lambda batch: batch.start)
        return [value for batch in in_order for value in batch.values]

    def tasks(self, path: str) -> dict[int, tuple[str, int]]:
        """Return how the tasks of a step ended, and after how many attempts."""
        return {
            task.index: (task.status, task.attempts)
            for report in self.ends.get(path, [])
            for task in report.tasks
        }


def _ends_of(event: dg.DagsterEvent) -> Iterator[StepEnd]:
    if event.is_step_failure:
        data = event.step_failure_data.user_failure_data
        # Without ours it is a problem of the product, and Dagster tells which.
        assert data is not None, event.step_failure_data.error
        metadata = data.metadata
    elif event.is_successful_output and event.step_output_data.output_name == RESULT_OUTPUT:
        metadata = event.step_output_data.metadata
    else:
        return
    report = report_in(metadata)
    assert isinstance(report, StepEnd), event.event_specific_data
    yield report


def _status(path: str, report: StepEnd) -> str:
    """Return how an op ended: one that only finds out that its subflow fails never began."""
    elsewhere = isinstance(report, StepFailed) and report.failed_step != path
    return "cancelled" if elsewhere else report.status


def is_in(path: str, subruns: Collection[str]) -> bool:
    return any(path.startswith(f"{subrun}.") for subrun in subruns)


def assert_reports_match(reports: Reports, drawn: Drawn, expected: ExpectedRun) -> None:
    """Compares status, reason, output and tasks of each step, and where failures began."""
    # There are no ops in a run that never was.
    idle = {path for path, subrun in expected.subruns.items() if subrun.status == "skipped"}
    no_runs = (
        *(f"{path}." for path in idle if drawn.is_child_run(path)),
        *(
            f"{path}[1]."
            for path in expected.steps
            if drawn.runs_iterations(path) and is_in(path, idle)
        ),
    )
    handled = {
        path: end
        for path, end in expected.steps.items()
        if path not in expected.containers and not path.startswith(no_runs)
    }
    # The op that has a flow run as a run of its own reports too, for its step.
    assert not reports.ends.keys() - expected.steps.keys()
    wanted = {path: (end.status, end.skip_reason) for path, end in handled.items()}
    # Some batches of a pipelined map may come through before its source fails.
    overtaken = {path for path, end in handled.items() if end.status == "cancelled" and end.tasks}
    assert_equal(
        {path: reports.ending(path) for path in handled if path not in overtaken},
        {path: ending for path, ending in wanted.items() if path not in overtaken},
    )
    for path, end in handled.items():
        tasks = {index: task for index, task in enumerate(end.tasks) if task.attempts}
        assert_equal(
            {(path, index): task for index, task in reports.tasks(path).items()},
            {(path, index): (task.status, task.attempts) for index, task in tasks.items()},
        )
        if end.status == "completed":
            assert_same(reports.output(path), end.output, path)
    beginnings = {path for path in expected.steps if fails_by_itself(path, expected.steps)}
    assert {ITSELF.sub("", path) for path in reports.failed} == beginnings, reports.failed
    reasons = {path: expected.steps[path].skip_reason for path in reports.skipped}
    assert_equal(reports.skipped, reasons)


def assert_failures_explained(value: Any, expected: ExpectedRun) -> None:
    """Checks what a failure step received: where its error is, and that time passed."""
    if is_failure_data(value) and value["error"] != WHY:
        failed = {
            INDEX.sub("", path) for path, end in expected.steps.items() if end.status == "failed"
        }
        places = set(re.findall(r'"([^"]+)"', value["error"]))
        assert {INDEX.sub("", place) for place in places} & failed, value["error"]
        assert all(entry["duration_ms"] >= 0 for entry in value["child_trace"])
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            assert_failures_explained(inner, expected)


def assert_same(found: Any, wanted: Any, path: str) -> None:
    one, other = text_of(calm(found)), text_of(calm(wanted))
    assert one == other, f"{path}: found {one}, wanted {other}"

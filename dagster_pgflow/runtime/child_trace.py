"""What the steps of a subflow did, as the step that goes on after its failure is told."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from dagster_pgflow.dagster_log.run_events import Reports
from dagster_pgflow.model.lowered import LoopNode
from dagster_pgflow.model.steps import SubflowStep
from dagster_pgflow.names import is_collector, is_helper
from dagster_pgflow.reports.report import StepCompleted, StepEnd, StepFailed, StepSkipped
from dagster_pgflow.reports.task_report import TaskReport
from dagster_pgflow.runtime.input_parts import Flows
from dagster_pgflow.runtime.values import Batch, from_wire
from dagster_pgflow.step_path import StepPath

_Status = Literal["failed", "cancelled", "skipped", "completed"]
_FIRST_THAT_COUNTS: Final[tuple[_Status, ...]] = ("failed", "cancelled", "skipped", "completed")


def trace_of(path: StepPath, reports: Reports, flows: Flows) -> list[dict[str, Any]]:
    """Return `{step, status, duration_ms, output or error}` of the steps of a subflow, by time.

    A step of a flow further inside is named by its path. Steps that never ran are not told of.
    An output above 4 KiB is left out. Of a subflow that ran once for each item of a list, the steps
    of the items that failed are told of, with their index.

    Args:
        path: The path of the subflow step.
        reports: What the ops of the run reported.
        flows: Every flow that the one of the run contains.
    """
    steps: dict[str, _Told] = {}
    for key, report in _of_steps(reports, flows):
        name = _place(report).below(path)
        # A helper is told of when it fails, because then nothing else says that its step does.
        is_told = report.status == "failed" or not _helps(key) or _skips(key, report)
        if name is not None and is_told:
            steps.setdefault(name, _Told(name)).reports.append(report)
    failed = {told.item for told in steps.values() if told.fails(f"{path}{told.item}")}
    ran = [told for told in steps.values() if told.status != "cancelled"]
    ran = [told for told in ran if not told.item or told.item in failed]
    return [told.entry() for told in sorted(ran, key=lambda told: (told.began_at, told.ended_at))]


def _of_steps(reports: Reports, flows: Flows) -> Iterator[tuple[str, StepEnd]]:
    """Yield what the ops of steps reported, and what those would have that never were.

    The op that has a flow run as a run of its own is not that of one of its steps. It tells of its
    own failure, and for the steps of a flow that does not run.
    """
    for key, report in reports.items():
        if report.ran is None or report.status == "failed":
            yield key, report
        elif report.status == "skipped":
            for place in _steps_inside(report.ran.at, report.ran.flow, flows):
                yield f"{key}/{place}", replace(report, step=place)


def _steps_inside(path: StepPath, slug: str, flows: Flows) -> Iterator[StepPath]:
    """Yield the paths of the steps of a flow and of those that it contains, as far as is known."""
    for step in flows[slug].steps:
        place = path.to(step.slug)
        if isinstance(step, LoopNode):
            yield from _steps_inside(place.at(1), step.flow, flows)
        elif not isinstance(step, SubflowStep):
            yield place
        elif step.over is None:
            yield from _steps_inside(place, step.flow, flows)


def _place(report: StepEnd) -> StepPath:
    """Return the step that a report is about.

    What keeps a subflow from running is found out by the first ops inside it, whose own steps have
    not begun. An item is no step: its flow's input belongs to the step that runs over the list.
    """
    return (report.failed_step if isinstance(report, StepFailed) else report.step).step


def _helps(step_key: str) -> bool:
    return is_helper(step_key.rpartition("/")[2].partition("[")[0])


def _skips(step_key: str, report: StepEnd) -> bool:
    """Return whether an op skips a map step whose own ops did not: too many elements failed."""
    node = step_key.rpartition("/")[2].partition("[")[0]
    return isinstance(report, StepSkipped) and is_collector(node)


@dataclass
class _Told:
    """A step, and what its ops reported: one op, or one a batch."""

    step: str
    reports: list[StepEnd] = field(default_factory=list)

    @property
    def item(self) -> str:
        """The index of the item, where there are any."""
        return self.step.partition(".")[0] if self.step.startswith("[") else ""

    @property
    def status(self) -> _Status:
        statuses = {report.status for report in self.reports}
        return next(status for status in _FIRST_THAT_COUNTS if status in statuses)

    def fails(self, subflow: str) -> bool:
        """Return whether the step made a subflow fail, and no other one inside that goes on."""
        return any(report.failed_subflow == subflow for report in self.failures)

    @property
    def failures(self) -> list[StepFailed]:
        """What those of its ops reported that failed."""
        return [report for report in self.reports if isinstance(report, StepFailed)]

    @property
    def began_at(self) -> float:
        return min((task.started_at for task in self._tasks()), default=float("inf"))

    @property
    def ended_at(self) -> float:
        return max((task.completed_at for task in self._tasks()), default=float("inf"))

    def entry(self) -> dict[str, Any]:
        has_tasks = any(True for _ in self._tasks())
        duration = round((self.ended_at - self.began_at) * 1000) if has_tasks else 0
        entry = {"step": self.step, "status": self.status, "duration_ms": duration}
        if self.status == "failed":
            return {**entry, "error": self.failures[0].error}
        if self.status == "completed":
            return {**entry, **self._output()}
        return entry

    def _output(self) -> dict[str, Any]:
        """Return `{"output": ...}` where its ops reported all of it."""
        values: list[Any] = []
        for report in self.reports:
            if not isinstance(report, StepCompleted) or report.output is None:
                return {}
            values.append(from_wire(report.output.value))
        batches = [value for value in values if isinstance(value, Batch)]
        if not batches:
            return {"output": values[0]}
        in_order = sorted(batches, key=lambda batch: batch.start)
        return {"output": [value for batch in in_order for value in batch.values]}

    def _tasks(self) -> Iterator[TaskReport]:
        return (task for report in self.reports for task in report.tasks)

"""What the events of the event log say, taken from what ops reported."""

from typing import Any

from dagster_pgflow.dagster_log.run_events import RunEvent
from dagster_pgflow.model.steps import BranchStep
from dagster_pgflow.names import FINISHED_OUTPUT
from dagster_pgflow.projection.layout.layout import Scope
from dagster_pgflow.reports.decision import Decision
from dagster_pgflow.reports.report import OpReport, StepCompleted, StepFailed, StepWaiting
from dagster_pgflow.reports.task_report import TaskReport
from dagster_pgflow.runtime.values import Batch, from_wire


def finished_in(step_key: str) -> str:
    """Return what events call the outputs that a batch had when it failed."""
    return f"{step_key}/{FINISHED_OUTPUT}"


def error_of(run_event: RunEvent) -> str:
    """Return what went wrong, by Dagster's word or else by the step's own."""
    report = run_event.report
    own = report.error if isinstance(report, StepFailed) else None
    return run_event.error or own or "unknown error"


def input_data(run_event: RunEvent, report: StepCompleted) -> dict[str, Any]:
    """Return the input that a helper op put together, or else where that is stored."""
    if report.output is None:
        return {"output_of": run_event.step_key}
    return {"input": report.output.value}


def output_data(run_event: RunEvent, report: StepCompleted | None) -> dict[str, Any]:
    """Return the output of a step with one op at its end, or else where that is stored."""
    if report is None or report.output is None:
        return {"output_of": run_event.step_key}
    return {"output": report.output.value}


def task_output_data(
    run_event: RunEvent, report: OpReport, index: int, *, is_whole_list: bool
) -> dict[str, Any]:
    """Return a task's output where it is small, or else where the output of its op is stored.

    Args:
        run_event: What Dagster saw.
        report: What the op reported.
        index: The index of the task.
        is_whole_list: Whether its op does all tasks of a map step.
    """
    if not isinstance(report, StepCompleted):
        return {"output_of": finished_in(run_event.step_key)}
    if report.output is None:
        return {"output_of": run_event.step_key}
    value = from_wire(report.output.value)
    if isinstance(value, Batch):
        return {"output": value.values[index - value.start]}
    is_one_of = is_whole_list and isinstance(value, list)
    return {"output": value[index] if is_one_of else value}


def task_data(task: TaskReport, worker: str, max_attempts: int) -> dict[str, Any]:
    """Return what is known of an attempt that is over.

    Args:
        task: What its op reported.
        worker: The process that did it.
        max_attempts: How often the task is tried at most.
    """
    failed = {"max_attempts": max_attempts} if task.status == "failed" else {}
    return {
        "attempt": task.attempts,
        "worker": worker or None,
        "started_at": task.started_at,
        "completed_at": task.completed_at,
        **failed,
        **({} if task.error is None else {"error": task.error}),
    }


def waiting_data(report: StepWaiting) -> dict[str, Any]:
    """Return what a step waits for, and when it goes on at the latest."""
    due = {} if report.due_at is None else {"due_at": report.due_at}
    return {"kind": report.kind, "waits_for": report.waits_for, **due}


def branch_data(step: BranchStep, decision: Decision) -> dict[str, Any]:
    """Return which routes the run takes behind a branch."""
    rule = {} if decision.rule is None else {"rule": decision.rule}
    called = step.label_of(decision.rule)
    label = {} if called is None else {"label": called}
    return {
        "taken": list(decision.taken),
        **rule,
        **label,
        **decided_data(decision),
        **_warnings(decision),
    }


def iteration_data(decision: Decision) -> dict[str, Any]:
    """Return how an iteration of a loop ended."""
    return {"iteration": decision.iteration, "again": decision.again, **_warnings(decision)}


def loop_data(decision: Decision) -> dict[str, Any]:
    """Return how a loop ended."""
    return {
        "iteration": decision.iteration,
        "ended_by": decision.ended_by,
        "taken": list(decision.taken),
    }


def decided_data(decision: Decision | None) -> dict[str, Any]:
    """Return how the run goes on and why, in words, where that was reported."""
    return {"why": decision.why} if decision is not None and decision.why else {}


def _warnings(decision: Decision) -> dict[str, Any]:
    return {"warnings": list(decision.warnings)} if decision.warnings else {}


def subrun_data(scope: Scope) -> dict[str, Any]:
    """Return what every event about a subrun says."""
    slug = scope.step.slug
    data = {"step_path": scope.step, "label": f"Subrun #{scope.run_index} of step {slug}"}
    return data if scope.map_index is None else {**data, "map_index": scope.map_index}

"""From reports to JSON. What does not apply is left out."""

from collections.abc import Mapping
from typing import Any, Final, assert_never

from dagster_pgflow.reports.decision import Decision
from dagster_pgflow.reports.report import (
    VERSION,
    ChildRunStarted,
    OpReport,
    StepCancelled,
    StepCompleted,
    StepDelayed,
    StepEnd,
    StepFailed,
    StepHeld,
    StepRetrying,
    StepSkipped,
    StepWaiting,
)
from dagster_pgflow.reports.task_report import TaskReport

_NOTHING: Final[tuple[Any, ...]] = (None, [], {})


def to_json(report: OpReport) -> dict[str, Any]:
    """Return a report as a JSON object of the newest version."""
    return {
        "status": report.status,
        "version": VERSION,
        "worker": report.worker,
        **_given(tasks=[task_to_json(task) for task in report.tasks]),
        **_own(report),
    }


def task_to_json(task: TaskReport) -> dict[str, Any]:
    """Return the report of one task as a JSON object."""
    return {
        "index": task.index,
        "status": task.status,
        "attempts": task.attempts,
        "started_at": task.started_at,
        "completed_at": task.completed_at,
        **_given(error=task.error, final=task.is_final or None, reused=task.is_reused or None),
    }


def decision_to_json(decision: Decision) -> dict[str, Any]:
    """Return what was decided as a JSON object, which always says what is taken."""
    return {
        **_given(
            rule=decision.rule,
            again=decision.again,
            ended_by=decision.ended_by,
            iteration=decision.iteration,
            warnings=list(decision.warnings),
            why=decision.why or None,
        ),
        "taken": list(decision.taken),
    }


def _own(report: OpReport) -> Mapping[str, Any]:
    match report:
        case StepCompleted() | StepSkipped() | StepCancelled() | StepFailed():
            return {**_end(report), **_shared(report)}
        case StepWaiting():
            return {
                "step": str(report.step),
                "kind": report.kind,
                "waits_for": report.waits_for,
                **_given(due_at=report.due_at),
            }
        case StepHeld():
            return {"step": str(report.step), "waiting_step": str(report.waiting_step)}
        case StepRetrying():
            return {"attempt": report.attempt, "delay_seconds": report.delay_seconds}
        case StepDelayed():
            return {"delay_seconds": report.delay_seconds}
        case ChildRunStarted():
            given = {} if report.input is None else {"input": report.input.value}
            return {
                "child_run": report.child_run,
                "path": str(report.path),
                **given,
                **_given(reused=report.is_reused or None),
            }
        case _:
            assert_never(report)


def _shared(report: StepEnd) -> Mapping[str, Any]:
    """Return what every last report of an op says."""
    ran = report.ran
    return {
        "step": str(report.step),
        **({} if ran is None else {"runs_flow": ran.flow, "runs_at": str(ran.at)}),
        **_given(
            fans_out={
                slug: {"tasks": sent.tasks, "batches": sent.batches}
                | _given(batch_size=sent.batch_size)
                for slug, sent in report.fans_out.items()
            },
            unanswered=list(report.unanswered),
        ),
    }


def _end(report: StepEnd) -> Mapping[str, Any]:
    match report:
        case StepCompleted():
            return _completed(report)
        case StepSkipped():
            return {
                "skip_reason": report.skip_reason,
                "skipped_step": str(report.skipped_step),
                **_given(ends_route=report.ends_route or None, why=report.why or None),
            }
        case StepCancelled():
            return {"failed_subflow": str(report.failed_subflow)}
        case StepFailed():
            caught = report.failed_subflow
            return {
                "error": report.error,
                "failed_step": str(report.failed_step),
                "place": str(report.place),
                **_given(
                    failed_subflow=caught and str(caught),
                    leads_to=report.leads_to,
                    cause=report.cause,
                ),
            }
        case _:
            assert_never(report)


def _completed(report: StepCompleted) -> Mapping[str, Any]:
    failed = {
        str(item): {"error": failure.error, "subflow": str(failure.subflow)}
        for item, failure in report.failed_items.items()
    }
    return {
        "output_bytes": report.output_bytes,
        **({} if report.output is None else {"output": report.output.value}),
        **({} if report.decision is None else decision_to_json(report.decision)),
        **_given(failed_items=failed),
    }


def _given(**fields: Any) -> dict[str, Any]:
    """Return the fields that say anything; an empty text or zero is something."""
    return {name: value for name, value in fields.items() if value not in _NOTHING}

"""From JSON to reports, of this version and of those before."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar, get_args

from dagster_pgflow.errors import PgflowError
from dagster_pgflow.model.execution import LoopEnd
from dagster_pgflow.model.run_state import Json, SkipReason
from dagster_pgflow.reports.decision import Decision
from dagster_pgflow.reports.earlier import of_this_version
from dagster_pgflow.reports.report import (
    ChildRunStarted,
    EndFields,
    FailedItem,
    FailureCause,
    FanOut,
    OpReport,
    RanFlow,
    StepCancelled,
    StepCompleted,
    StepDelayed,
    StepFailed,
    StepHeld,
    StepRetrying,
    StepSkipped,
    StepWaiting,
    WaitKind,
)
from dagster_pgflow.reports.task_report import TaskEnding, TaskReport
from dagster_pgflow.step_path import StepPath

_Closed = TypeVar("_Closed", bound=str)


class UnreadableReport(PgflowError):
    """What an op reported makes no sense: another program wrote it, or a newer version of this."""


def from_json(data: Mapping[str, Any]) -> OpReport:
    """Return the report that a JSON object is, of this version or of one before.

    Fields that nobody knows are left out.

    Raises:
        UnreadableReport: It is none, or of a version to come.
    """
    try:
        raised = of_this_version(data)
        return _READERS[_one_of(_STATUSES, raised["status"])](raised)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        said = f"{error.args[0]} is missing" if isinstance(error, KeyError) else error
        raise UnreadableReport(f"The report of an op makes no sense: {said}") from error


def task_from_json(data: Mapping[str, Any]) -> TaskReport:
    """Return the report of one task that a JSON object is."""
    error = data.get("error")
    return TaskReport(
        _whole(data["index"]),
        _one_of(_TASK_ENDINGS, data["status"]),
        _whole(data["attempts"]),
        _number(data["started_at"]),
        _number(data["completed_at"]),
        None if error is None else _text(error),
        is_final=data.get("final") is True,
        is_reused=data.get("reused") is True,
    )


def decision_from_json(data: Mapping[str, Any]) -> Decision:
    """Return what was decided by a JSON object."""
    rule, again = data.get("rule"), data.get("again")
    ended_by, iteration = data.get("ended_by"), data.get("iteration")
    return Decision(
        taken=_texts(data.get("taken", ())),
        rule=rule if rule is None or rule == "default" else _whole(rule),
        again=None if again is None else _flag(again),
        ended_by=None if ended_by is None else _one_of(_LOOP_ENDINGS, ended_by),
        iteration=None if iteration is None else _whole(iteration),
        warnings=_texts(data.get("warnings", ())),
        why=_text(data.get("why", "")),
    )


_TASK_ENDINGS: frozenset[TaskEnding] = frozenset(get_args(TaskEnding))
_LOOP_ENDINGS: frozenset[LoopEnd] = frozenset(get_args(LoopEnd))
_SKIP_REASONS: frozenset[SkipReason] = frozenset(get_args(SkipReason))
_WAITS: frozenset[WaitKind] = frozenset(get_args(WaitKind))
_CAUSES: frozenset[FailureCause] = frozenset(get_args(FailureCause))


def _completed(data: Mapping[str, Any]) -> StepCompleted:
    return StepCompleted(
        **_shared(data),
        output_bytes=_whole(data["output_bytes"]),
        output=_json(data, "output"),
        decision=decision_from_json(data) if "taken" in data else None,
        failed_items={
            StepPath(item): FailedItem(_text(failure["error"]), StepPath(failure["subflow"]))
            for item, failure in data.get("failed_items", {}).items()
        },
    )


def _failed(data: Mapping[str, Any]) -> StepFailed:
    caught, cause = data.get("failed_subflow"), data.get("cause")
    leads_to = data.get("leads_to")
    return StepFailed(
        **_shared(data),
        error=_text(data["error"]),
        failed_step=StepPath(data["failed_step"]),
        place=StepPath(data["place"]),
        failed_subflow=None if caught is None else StepPath(caught),
        leads_to=None if leads_to is None else _text(leads_to),
        cause=None if cause is None else _one_of(_CAUSES, cause),
    )


def _skipped(data: Mapping[str, Any]) -> StepSkipped:
    return StepSkipped(
        **_shared(data),
        skip_reason=_one_of(_SKIP_REASONS, data["skip_reason"]),
        skipped_step=StepPath(data["skipped_step"]),
        ends_route=data.get("ends_route") is True,
        why=_text(data.get("why", "")),
    )


def _cancelled(data: Mapping[str, Any]) -> StepCancelled:
    return StepCancelled(**_shared(data), failed_subflow=StepPath(data["failed_subflow"]))


def _waiting(data: Mapping[str, Any]) -> StepWaiting:
    due_at = data.get("due_at")
    return StepWaiting(
        worker=_text(data["worker"]),
        tasks=_tasks(data),
        step=StepPath(data["step"]),
        kind=_one_of(_WAITS, data["kind"]),
        waits_for=_text(data["waits_for"]),
        due_at=None if due_at is None else _number(due_at),
    )


def _held(data: Mapping[str, Any]) -> StepHeld:
    return StepHeld(
        worker=_text(data["worker"]),
        tasks=_tasks(data),
        step=StepPath(data["step"]),
        waiting_step=StepPath(data["waiting_step"]),
    )


def _retrying(data: Mapping[str, Any]) -> StepRetrying:
    return StepRetrying(
        worker=_text(data["worker"]),
        tasks=_tasks(data),
        attempt=_whole(data["attempt"]),
        delay_seconds=_number(data["delay_seconds"]),
    )


def _delayed(data: Mapping[str, Any]) -> StepDelayed:
    delay = _number(data["delay_seconds"])
    return StepDelayed(worker=_text(data["worker"]), delay_seconds=delay)


def _child_run(data: Mapping[str, Any]) -> ChildRunStarted:
    return ChildRunStarted(
        worker=_text(data["worker"]),
        child_run=_text(data["child_run"]),
        path=StepPath(data["path"]),
        input=_json(data, "input"),
        is_reused=data.get("reused") is True,
    )


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], OpReport]]] = {
    StepCompleted.status: _completed,
    StepSkipped.status: _skipped,
    StepCancelled.status: _cancelled,
    StepFailed.status: _failed,
    StepWaiting.status: _waiting,
    StepHeld.status: _held,
    StepRetrying.status: _retrying,
    StepDelayed.status: _delayed,
    ChildRunStarted.status: _child_run,
}
_STATUSES: Final = frozenset(_READERS)


def _shared(data: Mapping[str, Any]) -> EndFields:
    """Return what every last report of an op says."""
    ran = data.get("runs_flow")
    return {
        "worker": _text(data["worker"]),
        "tasks": _tasks(data),
        "step": StepPath(data["step"]),
        "fans_out": {slug: _fan_out(sent) for slug, sent in data.get("fans_out", {}).items()},
        "ran": None if ran is None else RanFlow(_text(ran), StepPath(data["runs_at"])),
        "unanswered": _texts(data.get("unanswered", ())),
    }


def _fan_out(data: Mapping[str, Any]) -> FanOut:
    size = data.get("batch_size")
    return FanOut(
        _whole(data["tasks"]), _whole(data["batches"]), None if size is None else _whole(size)
    )


def _tasks(data: Mapping[str, Any]) -> tuple[TaskReport, ...]:
    return tuple(task_from_json(task) for task in data.get("tasks", ()))


def _json(data: Mapping[str, Any], name: str) -> Json | None:
    return Json(data[name]) if name in data else None


def _texts(data: Iterable[Any]) -> tuple[str, ...]:
    return tuple(_text(one) for one in data)


def _text(data: Any) -> str:
    if type(data) is not str:
        raise TypeError(f"{_shown(data)} is no text.")
    return data


def _flag(data: Any) -> bool:
    if type(data) is not bool:
        raise TypeError(f"{_shown(data)} is neither true nor false.")
    return data


def _whole(data: Any) -> int:
    if type(data) is not int or data < 0:
        raise TypeError(f"{_shown(data)} is no count.")
    return data


def _number(data: Any) -> float:
    if type(data) is not float and type(data) is not int:
        raise TypeError(f"{_shown(data)} is no number.")
    return data


def _one_of(known: frozenset[_Closed], data: Any) -> _Closed:
    for one in known:
        if one == data:
            return one
    raise ValueError(f"nobody knows what {_shown(data)} is.")


def _shown(data: Any) -> str:
    """Return what stands in a wrong place, however large or deep it is."""
    return f'"{data[:80]}"' if isinstance(data, str) else f"a {type(data).__name__}"

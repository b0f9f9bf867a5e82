"""What one execution of a step reports, for the run's event log and from there for SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from dagster_pgflow.runtime.values import Skipped, json_size

INLINE_BYTES = 4096
"""Outputs up to this size travel in the event log, where the Dagster UI shows them."""

TaskStatus = Literal["completed", "failed", "skipped"]


@dataclass(frozen=True)
class TaskReport:
    """What became of one task.

    Attributes:
        index: The index of the element, 0 for a step that is no map.
        status: How the task ended.
        attempts: How often it was tried so far.
        started_at: Seconds since the epoch.
        completed_at: Seconds since the epoch.
        error: Why it failed, when it did.
        final: Whether it is not tried again although attempts are left.
        reused: Whether it was taken over from the run that this one re-executes.
    """

    index: int
    status: TaskStatus
    attempts: int
    started_at: float
    completed_at: float
    error: str | None = None
    final: bool = False
    reused: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values, without what does not apply."""
        return {k: v for k, v in asdict(self).items() if v is not None and v is not False}


def completed(output: Any, tasks: Sequence[TaskReport], worker: str) -> dict[str, Any]:
    """Return the outcome of an execution that produced an output.

    Args:
        output: The output as it travels.
        tasks: One report for each element.
        worker: The process that did the work.
    """
    size = json_size(output)
    outcome = {"status": "completed", "output_bytes": size, "worker": worker}
    if size <= INLINE_BYTES:
        outcome["output"] = output
    return outcome | {"tasks": [task.to_json() for task in tasks]}


def skipped(skip: Skipped, tasks: Sequence[TaskReport], worker: str) -> dict[str, Any]:
    """Return the outcome of an execution that skipped the step."""
    outcome = {
        "status": "skipped",
        "skip_reason": skip.reason,
        "skipped_step": ".".join(skip.step),
        "worker": worker,
        "tasks": [task.to_json() for task in tasks],
    }
    # What depends on the step is skipped with it.
    return outcome | ({"ends_way": True} if skip.cascade or skip.untaken else {})


def retrying(
    attempt: int, delay: float, tasks: Sequence[TaskReport], worker: str
) -> dict[str, Any]:
    """Return the outcome of an execution that another attempt follows.

    Args:
        attempt: The number of the attempt to come.
        delay: Seconds before it.
        tasks: One report for each task that was tried in this attempt, or taken over.
        worker: The process that did the work.
    """
    return {
        "status": "retrying",
        "attempt": attempt,
        "delay_seconds": delay,
        "worker": worker,
        "tasks": [task.to_json() for task in tasks],
    }


def delayed(delay: float, worker: str) -> dict[str, Any]:
    """Return the outcome of an execution that only found out that it is too early.

    Args:
        delay: Seconds before the first attempt.
        worker: The process that found out.
    """
    return {"status": "delayed", "delay_seconds": delay, "worker": worker, "tasks": []}


def cancelled(subflow: str, worker: str) -> dict[str, Any]:
    """Return the outcome of an execution that had nothing to do, because its subflow failed.

    Args:
        subflow: The path of the subflow step that failed, and that its flow goes on from.
        worker: The process that found out.
    """
    return {"status": "cancelled", "failed_subflow": subflow, "worker": worker, "tasks": []}


def failed(error: str, step: str, tasks: Sequence[TaskReport], worker: str) -> dict[str, Any]:
    """Return the outcome of an execution that fails the run.

    Args:
        error: What went wrong.
        step: The path of the step that fails: this one, or a subflow around it that may not run.
        tasks: One report for each element.
        worker: The process that did the work.
    """
    return {
        "status": "failed",
        "error": error,
        "failed_step": step,
        "worker": worker,
        "tasks": [task.to_json() for task in tasks],
    }


def child_run(run_id: str, path: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an op says that has something run as a Dagster run of its own.

    Args:
        run_id: That run.
        path: The path of the subflow step, with the index of the item if any, or of the loop with
            the number of the pass.
        told: What else there is to say: `reused` says that the run was over before, and this one
            goes on with what it returned.
    """
    return {"status": "child_run", "child_run": run_id, "path": path, "tasks": [], **told}


def received(given: Any) -> dict[str, Any]:
    """Return what there is to say of the input of a flow; a large one is not repeated."""
    return {"input": given} if json_size(given) <= INLINE_BYTES else {}


def is_routable(failure: Mapping[str, Any]) -> bool:
    """Say whether a reported failure says something about the flow, so that it may be caught."""
    return failure.get("cause") != STORE


STORE = "store"
"""The cause of failures that are trouble with the store."""

"""What an op tells Dagster at its end: an output, a failure, or that it is to run again.

Each comes with the report of it, and with what people see in the web UI at first glance.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from dagster_pgflow.dagster_log.op_reports import reported
from dagster_pgflow.errors import PgflowError
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import pipeline_behind
from dagster_pgflow.model.lowered import LoopNode
from dagster_pgflow.model.steps import MapStep, Step, SubflowStep
from dagster_pgflow.names import RESULT_OUTPUT
from dagster_pgflow.reports.inlined import inlined, json_size
from dagster_pgflow.reports.report import (
    EndFields,
    FanOut,
    RanFlow,
    StepCancelled,
    StepCompleted,
    StepDelayed,
    StepEnd,
    StepFailed,
    StepRetrying,
    StepSkipped,
)
from dagster_pgflow.runtime.catching import Caught
from dagster_pgflow.runtime.failures import reason_of
from dagster_pgflow.runtime.op_errors import OpFailure, OpRetry
from dagster_pgflow.runtime.op_execution import Execution
from dagster_pgflow.runtime.op_routes import lost_iteration
from dagster_pgflow.runtime.op_shown import links_of, shown_of, skip_sentence
from dagster_pgflow.runtime.op_work import TooEarly
from dagster_pgflow.runtime.roles import Role
from dagster_pgflow.runtime.tasks import TryAgain
from dagster_pgflow.runtime.values import Batch, Skipped, to_wire

Sent = Sequence[tuple[MapStep | SubflowStep, Sequence[Batch | Skipped]]]
"""What an op sends out to each step that runs over a list."""


def result_of(execution: Execution, role: Role, value: Any, sent: Sent) -> dg.Output[Any]:
    """Return the output of an op.

    Args:
        execution: The execution.
        role: What the op does.
        value: What it has come to: JSON, `Skipped` or `Batch`.
        sent: What else it sends out.
    """
    if isinstance(value, Skipped):
        execution.context.log.info(skip_sentence(execution, value))
    _warn(execution)
    report = _end(execution, role, value, _fans_out(execution, value, sent))
    decided = execution.decision.why if execution.decision else ""
    metadata = {**shown_of(value), **links_of(execution), **reported(report)}
    if decided:
        metadata["route"] = decided
    return dg.Output(to_wire(value), RESULT_OUTPUT, metadata=metadata)


def failed_result_of(
    execution: Execution, role: Role, caught: Caught, error: PgflowError, sent: Sent
) -> dg.Output[Any]:
    """Return the output of an op that failed where the run goes on.

    Args:
        execution: The execution.
        role: What the op does.
        caught: How it goes on.
        error: What went wrong.
        sent: What else it sends out: to map steps, that there is nothing for them.
    """
    value = caught.marker
    execution.context.log.error(
        'Step "%s" fails, and the run goes on with "%s": %s', value.step, caught.leads_to, error
    )
    wire = (lost_iteration(execution, value) if role == "begin" else value).to_wire()
    # What stands behind a step that caught its failure is skipped; elsewhere it is cancelled.
    is_own = value.step == execution.path
    fans_out = _fans_out(execution, value, sent) if is_own else {}
    metadata = _failure_metadata(execution, error, caught, fans_out)
    return dg.Output(wire, RESULT_OUTPUT, metadata=metadata)


def failure_of(execution: Execution, error: PgflowError) -> dg.Failure:
    """Return the failure of an op that fails its run."""
    return OpFailure(error, _failure_metadata(execution, error))


def try_again(execution: Execution, again: TryAgain) -> dg.RetryRequested:
    """Return what makes Dagster run the op again, after a word in the run's log on the attempt."""
    tasks = execution.tasks
    failed = sum(report.status == "failed" for report in tasks.tried)
    what = f" for {failed} of {len(tasks.tried)} tasks" if len(tasks.tried) > 1 else ""
    execution.tell(
        f"Attempt {tasks.attempt} of {execution.retry_policy.max_attempts} failed{what};"
        f" the next one begins in {again.seconds:.1f} s. {again.error}",
        StepRetrying(
            worker=execution.worker,
            tasks=tasks.news,
            attempt=tasks.attempt + 1,
            delay_seconds=again.seconds,
        ),
    )
    return _retry_after(execution, again.error, again.seconds)


def try_later(execution: Execution, early: TooEarly) -> dg.RetryRequested:
    """Return what makes Dagster run the op when its time has come, after a word in the log."""
    execution.tell(
        f'Step "{execution.path}" waits. {early}',
        StepDelayed(worker=execution.worker, delay_seconds=early.seconds),
    )
    return _retry_after(execution, early, early.seconds)


def _end(execution: Execution, role: Role, value: Any, fans_out: Mapping[str, FanOut]) -> StepEnd:
    """Return the report of an op that came to its end."""
    shared: EndFields = {
        "worker": execution.worker,
        "tasks": execution.tasks.reported,
        "step": execution.path,
        "fans_out": fans_out,
        "ran": _ran(execution, role),
        "unanswered": tuple(execution.unanswered),
    }
    match value:
        case Skipped(error=None):
            return StepSkipped(
                **shared,
                skip_reason=value.reason,
                skipped_step=value.step,
                # What depends on the step is skipped with it.
                ends_route=value.cascade or bool(value.not_taken),
                why=value.told,
            )
        case Skipped():
            return StepCancelled(**shared, failed_subflow=value.step)
        case _:
            wire = to_wire(value)
            size = json_size(wire)
            return StepCompleted(
                **shared,
                output_bytes=size,
                output=inlined(wire, size),
                decision=execution.decision,
                failed_items=execution.caught_items,
            )


def _failure_metadata(
    execution: Execution,
    error: PgflowError,
    caught: Caught | None = None,
    fans_out: Mapping[str, FanOut] | None = None,
) -> dict[str, Any]:
    _warn(execution)
    report = StepFailed(
        worker=execution.worker,
        tasks=execution.tasks.reported,
        step=execution.path,
        fans_out=_whole_list(execution) | dict(fans_out or {}),
        unanswered=tuple(execution.unanswered),
        error=reason_of(error),
        failed_step=execution.failed_path(error),
        place=execution.place,
        failed_subflow=None if caught is None else caught.marker.step,
        leads_to=None if caught is None else caught.leads_to,
        cause=None if error.is_routable else "store",
    )
    return {"failed": str(error), **links_of(execution), **reported(report)}


def _warn(execution: Execution) -> None:
    """Say in the run's log which conditions had no answer."""
    for sentence in execution.unanswered:
        execution.context.log.warning(sentence)


def _ran(execution: Execution, role: Role) -> RanFlow | None:
    """Return which flow an op has run as a run of its own, and the path that this begins with."""
    step, path = execution.work.step, execution.path
    if role == "step" and isinstance(step, SubflowStep):
        return RanFlow(step.flow, path)
    if role == "iterations" and isinstance(step, LoopNode):
        return RanFlow(step.flow, path.at(1))
    return None


def _fans_out(execution: Execution, value: Any, sent: Sent) -> dict[str, FanOut]:
    if isinstance(execution.work.step, SubflowStep) and isinstance(value, Batch):
        return {execution.work.step.slug: _counts([value])}
    if not sent:
        return _whole_list(execution)
    return {
        fed.slug: _counts(batches)
        for step, batches in sent
        for fed in _all_fed(execution.work.flow, step)
    }


def _whole_list(execution: Execution) -> dict[str, FanOut]:
    """Return how long the list is of which the op does all, as far as it came to know that."""
    if execution.whole_list is None:
        return {}
    all_of_it = FanOut(execution.whole_list, 1, max(execution.whole_list, 1))
    return {execution.work.step.slug: all_of_it}


def _all_fed(flow: Flow, step: MapStep | SubflowStep) -> Iterator[Step]:
    """Yield the steps that run on batches which are sent to one of them."""
    yield step
    if isinstance(step, MapStep):
        yield from pipeline_behind(flow, step)


def _counts(batches: Sequence[Batch | Skipped]) -> FanOut:
    sizes = [len(batch.values) if isinstance(batch, Batch) else 0 for batch in batches]
    return FanOut(sum(sizes), len(sizes), max(sizes, default=0) or 1)


def _retry_after(execution: Execution, why: Exception, seconds: float) -> dg.RetryRequested:
    """Return what makes Dagster run the op again; the number of attempts is counted here."""
    delays = 1 if execution.retry_policy.start_delay else 0
    most = max(execution.retry_policy.max_attempts, 1) - 1 + delays
    return OpRetry(why, most, execution.waited(seconds))

"""Runs inside an op: of the flow of a subflow step, or of an iteration of a loop."""

import json
from hashlib import sha256
from typing import Any

import dagster as dg

from dagster_pgflow.compat import EngineEventData
from dagster_pgflow.dagster_log.records import error_in, failure_report
from dagster_pgflow.model.lowered import LoopNode
from dagster_pgflow.model.run_state import Json
from dagster_pgflow.names import (
    FLOW_INPUT,
    TAG_LABEL,
    TAG_PARENT_RUN,
    TAG_PARENT_STEP,
    TAG_RUN_ID,
    TAG_TOP_RUN,
)
from dagster_pgflow.reports.report import ChildRunStarted
from dagster_pgflow.runtime.inputs import as_run_config
from dagster_pgflow.runtime.op_execution import Execution
from dagster_pgflow.runtime.op_run_inside import Kept, RunInside, execute, new_run
from dagster_pgflow.step_errors import ChildRunFailed

PASSED_ON = ("resources", "loggers")
"""The parts of a run's config that hold for the runs inside it too."""


def run_inside(
    execution: Execution, name: str, arrives: Any, kept: Kept, shown: Json | None = None
) -> None:
    """Have a flow, or an iteration of a loop, run as a Dagster run of its own.

    Args:
        execution: What it runs in; its place is that of the run.
        name: What is run, as it is called among the flows.
        arrives: What its graph receives.
        kept: Where its outputs go.
        shown: What to report as its input.

    Raises:
        ChildRunFailed: It failed, or was cancelled alone.
    """
    context = execution.context
    child = execution.work.child_job(name)
    config = {part: given for part, given in context.run.run_config.items() if part in PASSED_ON}
    schema = execution.work.flows[name].input_schema
    run, plan = new_run(
        context.instance,
        child.job,
        context.run,
        {**config, "inputs": {FLOW_INPUT: as_run_config(schema, arrives)}},
        _tags(execution),
    )
    _link(execution, run, name, shown)
    inside = execute(context.instance, child.inside, run, plan, kept)
    if inside.was_interrupted:
        raise dg.DagsterExecutionInterruptedError
    if inside.status is not dg.DagsterRunStatus.SUCCESS:
        raise _failure(execution, run.run_id, inside)


def digest(received: Any) -> str:
    """Return what tells inputs apart: a re-execution may send out others than before."""
    return sha256(json.dumps(received, sort_keys=True).encode()).hexdigest()


def tell_again(execution: Execution, child_run: str) -> None:
    """Say that a run of before has done what stands at the place of an execution."""
    execution.tell(
        f"{_label(execution)} was done by run {child_run} and is not done again.",
        _started(execution, child_run, is_reused=True),
        {"child run": dg.MetadataValue.dagster_run(child_run)},
    )


def _tags(execution: Execution) -> dict[str, str]:
    run = execution.context.run
    return {
        TAG_RUN_ID: execution.run_id,
        TAG_PARENT_RUN: run.run_id,
        TAG_TOP_RUN: run.tags[TAG_TOP_RUN] if execution.is_in_child_run else run.run_id,
        TAG_PARENT_STEP: str(execution.place),
        TAG_LABEL: _label(execution),
    }


def _label(execution: Execution) -> str:
    path, step = execution.path, execution.work.step
    number = execution.place.number
    if isinstance(step, LoopNode):
        return f"Iteration {number} of loop {path}"
    return f"Step {path}" if number is None else f"Item {number} of step {path}"


def _link(execution: Execution, run: dg.DagsterRun, name: str, shown: Json | None) -> None:
    """Say in the logs of both runs which the other one is."""
    context = execution.context
    execution.child_runs.append(run.run_id)
    label = _label(execution)
    is_iteration = isinstance(execution.work.step, LoopNode)
    runs = "runs" if is_iteration else f'runs flow "{name}"'
    execution.tell(
        f"{label} {runs} as run {run.run_id}.",
        _started(execution, run.run_id, shown),
        {"child run": dg.MetadataValue.dagster_run(run.run_id)},
    )
    context.instance.report_engine_event(
        f"This run is {label[0].lower()}{label[1:]} of run {context.run_id}.",
        run,
        EngineEventData(metadata={"parent run": dg.MetadataValue.dagster_run(context.run_id)}),
    )


def _started(
    execution: Execution, run_id: str, shown: Json | None = None, *, is_reused: bool = False
) -> ChildRunStarted:
    return ChildRunStarted(
        worker=execution.worker,
        child_run=run_id,
        path=execution.place,
        input=shown,
        is_reused=is_reused,
    )


def _failure(execution: Execution, run_id: str, inside: RunInside) -> ChildRunFailed:
    place = execution.place
    if inside.failure is None:
        cancelled = inside.status is not dg.DagsterRunStatus.FAILURE
        reason = "it was cancelled." if cancelled else inside.error or "nobody knows why."
        message = f'Run {run_id} of step "{place}" did not end well: {reason}'
        return ChildRunFailed(message, message, place, is_routable=cancelled)
    report = failure_report(inside.failure)
    if report is None:
        reason, failed = error_in(inside.failure) or "it did not say why.", place
        named = f'Op "{inside.failure.step_key}" of step "{place}"'
    else:
        reason, failed = report.error, report.failed_step
        named = f'Step "{failed}"'
    return ChildRunFailed(
        f"{named} failed in run {run_id}: {reason}",
        reason,
        failed,
        is_routable=report is not None and report.is_routable,
    )

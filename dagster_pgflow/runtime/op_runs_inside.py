"""Runs inside an op: of the flow of a subflow step, or of a pass of a loop."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import dagster as dg

from dagster_pgflow.compat import EngineEventData
from dagster_pgflow.errors import ChildRunFailed
from dagster_pgflow.model.loops import RepeatedStep
from dagster_pgflow.names import (
    FLOW_INPUT,
    TAG_LABEL,
    TAG_PARENT_RUN,
    TAG_PARENT_STEP,
    TAG_RUN_ID,
    TAG_TOP_RUN,
)
from dagster_pgflow.runtime import outcome
from dagster_pgflow.runtime.inputs import as_run_config
from dagster_pgflow.runtime.op_execution import Execution
from dagster_pgflow.runtime.op_outcomes import failed_outcome, message_of
from dagster_pgflow.runtime.op_run_inside import Kept, RunInside, execute, new_run
from dagster_pgflow.runtime.outcome import is_routable

PASSED_ON = ("resources", "loggers")
"""The parts of a run's config that hold for the runs inside it too."""


def run_inside(
    execution: Execution, name: str, arrives: Any, kept: Kept, told: Mapping[str, Any]
) -> None:
    """Have a flow, or a pass of a loop, run as a Dagster run of its own.

    Args:
        execution: What it runs in; its place is that of the run.
        name: What is run, as it is called among the flows.
        arrives: What its graph receives.
        kept: Where its outputs go.
        told: What to tell of it besides where it stands.

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
    _link(execution, run, name, told)
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
        outcome.child_run(child_run, ".".join(execution.place), {"reused": True}),
        {"child run": dg.MetadataValue.dagster_run(child_run)},
    )


def _tags(execution: Execution) -> dict[str, str]:
    run = execution.context.run
    return {
        TAG_RUN_ID: execution.run_id,
        TAG_PARENT_RUN: run.run_id,
        TAG_TOP_RUN: run.tags[TAG_TOP_RUN] if execution.is_in_child_run else run.run_id,
        TAG_PARENT_STEP: ".".join(execution.place),
        TAG_LABEL: _label(execution),
    }


def _label(execution: Execution) -> str:
    path, step = ".".join(execution.path), execution.work.step
    number = execution.place[-1].removeprefix(step.slug).strip("[]")
    if isinstance(step, RepeatedStep):
        return f"Pass {number} of loop {path}"
    return f"Item {number} of step {path}" if number else f"Step {path}"


def _link(execution: Execution, run: dg.DagsterRun, name: str, told: Mapping[str, Any]) -> None:
    """Say in the logs of both runs which the other one is."""
    context = execution.context
    execution.child_runs.append(run.run_id)
    label = _label(execution)
    is_pass = isinstance(execution.work.step, RepeatedStep)
    runs = "runs" if is_pass else f'runs flow "{name}"'
    execution.tell(
        f"{label} {runs} as run {run.run_id}.",
        outcome.child_run(run.run_id, ".".join(execution.place), told),
        {"child run": dg.MetadataValue.dagster_run(run.run_id)},
    )
    context.instance.report_engine_event(
        f"This run is {label[0].lower()}{label[1:]} of run {context.run_id}.",
        run,
        EngineEventData(metadata={"parent run": dg.MetadataValue.dagster_run(context.run_id)}),
    )


def _failure(execution: Execution, run_id: str, inside: RunInside) -> ChildRunFailed:
    place = ".".join(execution.place)
    if inside.failure is None:
        cancelled = inside.status is not dg.DagsterRunStatus.FAILURE
        reason = "it was cancelled." if cancelled else inside.error or "nobody knows why."
        message = f'Run {run_id} of step "{place}" did not end well: {reason}'
        return ChildRunFailed(message, message, place, is_routable=cancelled)
    told = failed_outcome(inside.failure)
    reason = told.get("error") or message_of(inside.failure)
    failed = told.get("failed_step", place)
    named = f'Step "{failed}"' if told else f'Op "{inside.failure.step_key}" of step "{place}"'
    return ChildRunFailed(
        f"{named} failed in run {run_id}: {reason}",
        reason,
        failed,
        is_routable=bool(told) and is_routable(told),
    )

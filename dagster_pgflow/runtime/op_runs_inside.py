"""Runs inside an op: of the flow of a subflow step, or of an iteration of a loop."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import dagster as dg

from dagster_pgflow.compat import EngineEventData
from dagster_pgflow.dagster_log.records import error_in, failure_report
from dagster_pgflow.dagster_log.run_reports import failed_in, reports_in
from dagster_pgflow.errors import ResumptionRefused
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
from dagster_pgflow.reports.report import ChildRunStarted, StepWaiting
from dagster_pgflow.runtime.holding import Held
from dagster_pgflow.runtime.inputs import as_run_config
from dagster_pgflow.runtime.kept_outputs import Kept
from dagster_pgflow.runtime.op_execution import Execution
from dagster_pgflow.runtime.op_run_inside import (
    ChildJob,
    RunInside,
    execute,
    left_of,
    new_run,
    run_going_on,
)
from dagster_pgflow.runtime.op_runs_before import run_under_way, sent_before
from dagster_pgflow.runtime.values import Waiting
from dagster_pgflow.step_errors import ChildRunFailed
from dagster_pgflow.step_path import StepPath

PASSED_ON = ("resources", "loggers")
"""The parts of a run's config that hold for the runs inside it too."""


@dataclass(frozen=True)
class HeldRun:
    """A run inside an op in which a step waits: when the op runs again, it goes on.

    Attributes:
        child_run: The run.
        received: What tells apart what it received.
        outputs: What it has sent so far of what the op asks for: node, output, value.
    """

    child_run: str
    received: str
    outputs: list[list[Any]] = field(default_factory=list)


class RunHeld(Held):
    """A step waits in a run inside the op.

    Attributes:
        run: How the run goes on.
    """

    def __init__(self, waiting: Waiting, run: HeldRun) -> None:
        super().__init__(waiting)
        self.run = run


def run_inside(
    execution: Execution,
    name: str,
    arrives: Any,
    kept: Kept,
    *,
    shown: Json | None = None,
    before: Mapping[str, Any] | None = None,
) -> None:
    """Have a flow, or an iteration of a loop, run as a Dagster run of its own.

    Args:
        execution: What it runs in; its place is that of the run.
        name: What is run, as it is called among the flows.
        arrives: What its graph receives.
        kept: Where its outputs go.
        shown: What to report as its input.
        before: The `HeldRun` as JSON that the op left there when it was held.

    Raises:
        ChildRunFailed: It failed, or was cancelled alone.
        RunHeld: A step in it waits.
        ResumptionRefused: It is to go on, and was deleted.
    """
    instance, child = execution.context.instance, execution.work.child_job(name)
    received, config = digest(arrives), _config(execution, name, arrives)
    lost = run_under_way(execution, config["inputs"])
    earlier = lost or _run_before(execution, before, received)
    if earlier is None:
        made = new_run(instance, child.job, execution.context.run, config, _tags(execution))
    else:
        left = left_of(instance, child, earlier)
        if before is None or lost is not None:
            kept.take_over(sent_before(execution, left, kept))
        else:
            kept.take_over(before["outputs"])
        if not left.step_keys:
            execution.child_runs.append(earlier.run_id)
            tell_again(execution, earlier.run_id)
            return
        tags = _tags(execution)
        made = run_going_on(instance, child, execution.context.run, earlier, tags, left=left)
    _link(execution, made[0], name, shown)
    _execute(execution, child, made, kept, received)


def _execute(
    execution: Execution,
    child: ChildJob,
    made: tuple[dg.DagsterRun, Any],
    kept: Kept,
    received: str,
) -> None:
    """Execute a run inside, which was made with its plan."""
    run, plan = made
    inside = execute(execution.context.instance, child.inside, run, plan, kept)
    if inside.was_interrupted:
        raise dg.DagsterExecutionInterruptedError
    if inside.status is not dg.DagsterRunStatus.SUCCESS:
        raise _failure(execution, run.run_id, inside)
    waiting_step = _waiting_step(execution.context.instance, run, inside)
    if waiting_step is not None:
        raise RunHeld(Waiting(waiting_step), HeldRun(run.run_id, received, kept.sent()))


def _waiting_step(
    instance: dg.DagsterInstance, run: dg.DagsterRun, inside: RunInside
) -> StepPath | None:
    """Return the step that a run inside waits for; none where all that waits has failed around."""
    if not inside.pauses:
        return None
    over = failed_in(reports_in(instance, run))
    for pause in inside.pauses:
        if not any(pause.step.startswith((f"{place}.", f"{place}[")) for place in over):
            return pause.step if isinstance(pause, StepWaiting) else pause.waiting_step
    return None


def _config(execution: Execution, name: str, arrives: Any) -> dict[str, Any]:
    given = execution.context.run.run_config
    schema = execution.work.flows[name].input_schema
    passed_on = {part: given[part] for part in PASSED_ON if part in given}
    return {**passed_on, "inputs": {FLOW_INPUT: as_run_config(schema, arrives)}}


def _run_before(
    execution: Execution, before: Mapping[str, Any] | None, received: str
) -> dg.DagsterRun | None:
    """Return the run that is to go on; none where it began otherwise, or for another run of ours.

    Raises:
        ResumptionRefused: It was deleted.
    """
    if before is None or before["received"] != received or not execution.goes_on:
        return None
    run = execution.context.instance.get_run_by_id(before["child_run"])
    if run is None:
        raise ResumptionRefused(
            f"Run {before['child_run']} was deleted in Dagster while a step in it waited, so nobody"
            f' knows which steps of "{execution.place}" are done; start a new run.'
        )
    return run


def digest(received: Any) -> str:
    """Return what tells inputs apart: a re-execution may send out others than before."""
    return sha256(json.dumps(received, sort_keys=True).encode()).hexdigest()


def tell_again(execution: Execution, child_run: str) -> None:
    """Say that a run of before has done what stands at the place of an execution.

    Where a run goes on that waited, the Dagster run before has told what became of that.
    """
    sentence = f"{_label(execution)} was done by run {child_run} and is not done again."
    if execution.goes_on:
        execution.context.log.info(sentence)
        return
    execution.tell(
        sentence,
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

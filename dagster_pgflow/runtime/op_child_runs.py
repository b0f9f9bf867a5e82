"""Subflow steps of mode `run`: their flow is a Dagster run of its own, inside the op of the step.

The op does what otherwise the ops do that Dagster has before, in and behind a nested graph: it
puts the input together, has the flow run, and puts together what that returned.
"""

import json
from hashlib import sha256
from typing import Any

import dagster as dg

from dagster_pgflow.compat import EngineEventData
from dagster_pgflow.errors import ChildRunFailed
from dagster_pgflow.names import (
    BATCH_INPUT,
    FLOW_INPUT,
    TAG_LABEL,
    TAG_PARENT_RUN,
    TAG_PARENT_STEP,
    TAG_RUN_ID,
    TAG_TOP_RUN,
)
from dagster_pgflow.runtime import outcome
from dagster_pgflow.runtime.assembly import output_of_subflow
from dagster_pgflow.runtime.frames import mapped_input, shaped_output
from dagster_pgflow.runtime.mapping import join
from dagster_pgflow.runtime.op_execution import Execution
from dagster_pgflow.runtime.op_outcomes import failed_outcome, message_of
from dagster_pgflow.runtime.op_run_inside import Kept, RunInside, execute, new_run
from dagster_pgflow.runtime.outcome import is_routable
from dagster_pgflow.runtime.sources import FinalOp, Source, final_ops
from dagster_pgflow.runtime.values import Skipped, from_wire

PASSED_ON = ("resources", "loggers")
"""The parts of a run's config that hold for the runs inside it too."""


def run_child(execution: Execution) -> Any:
    """Run the flow of a subflow step."""
    step, given = execution.subflow, execution.given()
    if isinstance(given, Skipped):
        return given
    received = mapped_input(execution.frame, step, given, execution.asked_flow_input)
    returned = _run(execution, received)
    return shaped_output(execution.frame, step, execution.work.flows[step.flow], returned)


def run_child_of_item(execution: Execution) -> Any:
    """Run the flow of a subflow step for one item of its list."""
    batch = from_wire(execution.inputs[BATCH_INPUT])
    return batch if isinstance(batch, Skipped) else _run(execution, batch.values[0], batch.start)


def run_children(execution: Execution) -> Any:
    """Run the flow of a subflow step for each item of its list, where one op does it all.

    Dagster 1.13 has no dynamic outputs inside a graph that is mapped itself. One item that fails
    does not keep the others from running; what is done is done for a re-execution too.
    """
    batch = from_wire(execution.inputs[BATCH_INPUT])
    if isinstance(batch, Skipped):
        return batch
    done = execution.recall_items()
    outputs: list[Any] = []
    failures: list[ChildRunFailed] = []
    for index, received in enumerate(batch.values):
        before = done.get(str(index), {})
        if before.get("received") == _digest(received):
            _tell_again(execution, index, before["child_run"])
            outputs.append(before["output"])
            continue
        try:
            output = _run(execution, received, index)
        except ChildRunFailed as error:
            routed = execution.routed(error)
            if routed is None:
                failures.append(error)
                continue
            told = {"subflow": ".".join(routed.step), "error": error.reason}
            execution.caught_items[".".join(execution.place)] = told
            outputs.append(routed.to_wire())
        else:
            outputs.append(output)
            done[str(index)] = {
                "output": output,
                "child_run": execution.child_runs[-1],
                "received": _digest(received),
            }
            execution.remember_items(done)
    if failures:
        raise failures[0]
    return outputs


def _digest(received: Any) -> str:
    """Return what tells inputs apart: a re-execution may send out other items than before."""
    return sha256(json.dumps(received, sort_keys=True).encode()).hexdigest()


def _run(execution: Execution, received: Any, index: int | None = None) -> Any:
    """Run the flow of a subflow step; return `{final step: output}`, or `None` without any.

    Raises:
        ChildRunFailed: It failed, or was cancelled alone.
    """
    work, context = execution.work, execution.context
    execution.turn_to(index)
    child = work.child_job(execution.subflow.flow)
    finals = final_ops(work.flows[execution.subflow.flow], work.flows)
    kept = Kept({final.node for final in finals})
    config = {name: part for name, part in context.run.run_config.items() if name in PASSED_ON}
    run, plan = new_run(
        context.instance,
        child.job,
        context.run,
        {**config, "inputs": {FLOW_INPUT: received}},
        _tags(execution, index),
    )
    _link(execution, run, received, index)
    inside = execute(context.instance, child.inside, run, plan, kept)
    if inside.was_interrupted:
        raise dg.DagsterExecutionInterruptedError
    if inside.status is not dg.DagsterRunStatus.SUCCESS:
        raise _failure(execution, run.run_id, inside)
    sources = {Source(execution.place[-1], final.path): final for final in finals}
    values = {source: _value(final, kept) for source, final in sources.items()}
    return output_of_subflow(execution.place, tuple(sources), values)


def _tags(execution: Execution, index: int | None) -> dict[str, str]:
    run = execution.context.run
    return {
        TAG_RUN_ID: execution.run_id,
        TAG_PARENT_RUN: run.run_id,
        TAG_TOP_RUN: run.tags[TAG_TOP_RUN] if execution.is_in_child_run else run.run_id,
        TAG_PARENT_STEP: ".".join(execution.place),
        TAG_LABEL: _label(execution, index),
    }


def _label(execution: Execution, index: int | None) -> str:
    step = f"step {'.'.join(execution.path)}"
    return step.capitalize() if index is None else f"Item {index} of {step}"


def _link(execution: Execution, run: dg.DagsterRun, received: Any, index: int | None) -> None:
    """Say in the logs of both runs which the other one is."""
    context = execution.context
    execution.child_runs.append(run.run_id)
    label = _label(execution, index)
    execution.tell(
        f'{label} runs flow "{execution.subflow.flow}" as run {run.run_id}.',
        outcome.child_run(run.run_id, ".".join(execution.place), received),
        {"child run": dg.MetadataValue.dagster_run(run.run_id)},
    )
    context.instance.report_engine_event(
        f"This run is {label[0].lower()}{label[1:]} of run {context.run_id}.",
        run,
        EngineEventData(metadata={"parent run": dg.MetadataValue.dagster_run(context.run_id)}),
    )


def _tell_again(execution: Execution, index: int, child_run: str) -> None:
    """Say which run of before the output of an item comes from."""
    execution.turn_to(index)
    execution.tell(
        f"{_label(execution, index)} was done by run {child_run} and is not done again.",
        outcome.child_run(child_run, ".".join(execution.place), reused=True),
        {"child run": dg.MetadataValue.dagster_run(child_run)},
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


def _value(final: FinalOp, kept: Kept) -> Any:
    """Return what a final step sent, as it travels."""
    sent = kept.of(final.node)
    if not final.collected:
        return sent[0]
    joined = join([from_wire(value) for value in sent])
    return joined.to_wire() if isinstance(joined, Skipped) else joined

"""Subflow steps of mode `run`: their flow is a Dagster run of its own, inside the op of the step.

The op does what otherwise the ops do that Dagster has before, in and behind a nested graph: it
puts the input together, has the flow run, and puts together what that returned.
"""

from typing import Any

from dagster_pgflow.model.defaults import input_of_run
from dagster_pgflow.names import BATCH_INPUT
from dagster_pgflow.reports.inlined import inlined, json_size
from dagster_pgflow.reports.report import FailedItem
from dagster_pgflow.runtime.assembly import output_of_subflow
from dagster_pgflow.runtime.frames import mapped_input, shaped_output
from dagster_pgflow.runtime.input_parts import InputPart, final_ops
from dagster_pgflow.runtime.op_execution import Execution
from dagster_pgflow.runtime.op_run_inside import Kept
from dagster_pgflow.runtime.op_runs_inside import digest, run_inside, tell_again
from dagster_pgflow.runtime.values import Skipped, from_wire
from dagster_pgflow.step_errors import ChildRunFailed


def run_child(execution: Execution) -> Any:
    """Run the flow of a subflow step."""
    step, given = execution.subflow, execution.given()
    if isinstance(given, Skipped):
        return given
    received = mapped_input(execution.frame, step, given, execution.asked_flow_input)
    returned = _run(execution, received)
    child, kept = execution.work.flows[step.flow], execution.input_of(given)
    shaped = shaped_output(execution.frame, step, child, returned, given=kept)
    return execution.mergeable(shaped)


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
    done = execution.memory.recall_runs()
    outputs: list[Any] = []
    failures: list[ChildRunFailed] = []
    for index, received in enumerate(batch.values):
        before = done.get(str(index), {})
        if before.get("received") == digest(received):
            execution.turn_to(index)
            tell_again(execution, before["child_run"])
            outputs.append(before["output"])
            continue
        try:
            output = _run(execution, received, index)
        except ChildRunFailed as error:
            caught = execution.caught(error)
            if caught is None:
                failures.append(error)
                continue
            execution.caught_items[execution.place] = FailedItem(error.reason, caught.marker.step)
            outputs.append(caught.marker.to_wire())
        else:
            outputs.append(output)
            done[str(index)] = {
                "output": output,
                "child_run": execution.child_runs[-1],
                "received": digest(received),
            }
            execution.memory.remember_runs(done)
    if failures:
        raise failures[0]
    return outputs


def _run(execution: Execution, received: Any, index: int | None = None) -> Any:
    """Run the flow of a subflow step; return `{final step: output}`, or `None` without any.

    Raises:
        ChildRunFailed: It failed, or was cancelled alone.
    """
    work, slug = execution.work, execution.subflow.flow
    received = input_of_run(work.flows[slug].input_schema, received)
    execution.turn_to(index)
    finals = tuple(final_ops(work.flows[slug], work.flows))
    kept = Kept({final.node for final in finals})
    run_inside(execution, slug, received, kept, inlined(received, json_size(received)))
    parts = {InputPart(execution.subflow.slug, final.path): final.node for final in finals}
    values = {part: kept.of(node)[0] for part, node in parts.items()}
    return output_of_subflow(execution.place, tuple(parts), values)

"""What the ops do that decide how the run goes on: branches, and the passes of loops."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dagster_pgflow.errors import ListNotWhole
from dagster_pgflow.model.loops import Body, RepeatedStep
from dagster_pgflow.model.step import BranchStep, LoopStep
from dagster_pgflow.names import AGAIN_OUTPUT, DONE_OUTPUT, FLOW_INPUT, PASSES_INPUT, way_output
from dagster_pgflow.runtime.assembly import outputs_by_dep
from dagster_pgflow.runtime.decisions import choice_of, verdict_of, ways_out
from dagster_pgflow.runtime.frames import refuse_bad_input
from dagster_pgflow.runtime.op_execution import Execution
from dagster_pgflow.runtime.op_work import Role
from dagster_pgflow.runtime.passes import Pass, PassEnd
from dagster_pgflow.runtime.values import Skipped


def decide(execution: Execution) -> Any:
    """Run the handler of a branch or a loop, if it has one, and decide how the run goes on."""
    step, given = execution.work.step, execution.given()
    output = execution.run_only_task(given)
    if isinstance(output, Skipped):
        return output
    deciding = execution.deciding(given, output)
    match step:
        case BranchStep():
            execution.choose(choice_of(step, deciding))
        case LoopStep():
            execution.choose(verdict_of(step, deciding))
    return output


def begin_loop(execution: Execution) -> Any:
    """Put together what the first pass of a loop receives."""
    return first_pass(execution).to_wire()


def lost_pass(execution: Execution, skipped: Skipped) -> Pass:
    """Return the first pass of a loop that cannot begin; no step in it runs.

    Args:
        execution: The execution.
        skipped: The subflow around that failed.
    """
    outside = [source.key for source in execution.work.sources]
    if isinstance(execution.work.flow, Body):
        outside += execution.this_pass.outside
    return Pass(skipped, dict.fromkeys(outside, skipped))


def end_loop(execution: Execution) -> Any:
    """Hand on what the last pass of a loop returned, on the ways that it decided for."""
    ends = execution.inputs[PASSES_INPUT]
    if len(ends) != 1:
        path = ".".join(execution.path)
        raise ListNotWhole(f'Loop "{path}" came to an end in {len(ends)} passes, not in one.')
    end = PassEnd.from_wire(ends[0])
    execution.choice = end.choice
    return end.output


def ways_of(execution: Execution, role: Role, value: Any) -> Mapping[str, Any]:
    """Return by output what an op sends where the run need not go on.

    Args:
        execution: The execution.
        role: What the op does.
        value: What it returned, or why it did not.
    """
    step = execution.work.step
    if isinstance(step, LoopStep):
        return _way_out_of_pass(execution, step, value)
    if role not in ("end", "passes") and not isinstance(step, BranchStep):
        return {}
    taken = execution.choice.taken if execution.choice else ()
    ways = ways_out(step, execution.path, value, taken)
    return {way_output(slug): sent for slug, sent in ways.items()}


def first_pass(execution: Execution) -> Pass:
    """Return what the first pass of a loop receives."""
    work = execution.work
    assert isinstance(work.step, RepeatedStep)  # noqa: S101
    found = outputs_by_dep(execution.receiver, work.sources, execution.values)
    if not isinstance(work.flow, Body):
        refuse_bad_input(execution.frame, execution.inputs.get(FLOW_INPUT), work.flows)
    failed = next((value for value in found.values() if _is_failure_around(execution, value)), None)
    if failed is not None:
        return lost_pass(execution, failed)
    if not isinstance(work.flow, Body):
        return Pass(execution.flow_input, found)
    around = execution.this_pass
    begins_both = work.flow.deciding.back_to == work.step.loop.back_to
    before = around.before if begins_both else {}
    return Pass(execution.flow_input, {**around.outside, **found}, before)


def _is_failure_around(execution: Execution, value: Any) -> bool:
    """Say whether what arrived is the failure of a subflow that the loop lies in."""
    failed = isinstance(value, Skipped) and value.error is not None
    return failed and value.encloses(execution.frame.path)


def _way_out_of_pass(execution: Execution, loop: LoopStep, value: Any) -> dict[str, Any]:
    """Return what the last op of a pass sends: to the next pass, or out of the loop."""
    choice = execution.choice
    if choice is not None and choice.again:
        return {AGAIN_OUTPUT: execution.this_pass.following(loop, value).to_wire()}
    around = execution.frame.around
    if isinstance(value, Skipped) and value.step == execution.path and around:
        # Where the last step of a pass is skipped, the loop is.
        value = replace(value, step=around[0].path_to(loop.slug))
    return {DONE_OUTPUT: PassEnd(value, choice).to_wire()}

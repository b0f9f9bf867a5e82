"""What the ops do that decide how the run goes on: branches, and the iterations of loops."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, assert_never

from dagster_pgflow.errors import ListNotWhole
from dagster_pgflow.model.lowered import LoopBody, LoopNode
from dagster_pgflow.model.steps import BranchStep, LoopStep
from dagster_pgflow.names import (
    AGAIN_OUTPUT,
    DONE_OUTPUT,
    FLOW_INPUT,
    ITERATIONS_INPUT,
    KEPT_OUTPUT,
)
from dagster_pgflow.runtime.assembly import outputs_by_dep
from dagster_pgflow.runtime.decisions import decision_of_branch, decision_of_loop, routes_out
from dagster_pgflow.runtime.frames import refuse_bad_input
from dagster_pgflow.runtime.holding import Held, here, waiting_among
from dagster_pgflow.runtime.input_parts import kept_output
from dagster_pgflow.runtime.iterations import Iteration, IterationEnd
from dagster_pgflow.runtime.op_execution import Execution
from dagster_pgflow.runtime.roles import Role
from dagster_pgflow.runtime.values import Skipped
from dagster_pgflow.step_path import RUN


def decide(execution: Execution) -> Any:
    """Run the handler of a branch or a loop, if it has one, and decide how the run goes on."""
    step, given = execution.work.step, execution.given()
    assert isinstance(step, BranchStep | LoopStep)  # noqa: S101
    output = execution.run_only_task(given)
    if isinstance(output, Skipped):
        return output
    deciding = execution.deciding(given, output)
    match step:
        case BranchStep():
            execution.decide(decision_of_branch(step, deciding))
        case LoopStep():
            execution.decide(decision_of_loop(step, deciding))
        case _:
            assert_never(step)
    return output


def begin_loop(execution: Execution) -> Any:
    """Put together what the first iteration of a loop receives."""
    return first_iteration(execution).to_wire()


def lost_iteration(execution: Execution, skipped: Skipped) -> Iteration:
    """Return the first iteration of a loop that cannot begin; no step in it runs.

    Args:
        execution: The execution.
        skipped: The subflow or the loop around that failed.
    """
    outside = [part.key for part in execution.work.parts]
    if isinstance(execution.work.flow, LoopBody):
        outside += execution.this_iteration.outside
    return Iteration(skipped, dict.fromkeys(outside, skipped))


def end_loop(execution: Execution) -> Any:
    """Hand on what the last iteration of a loop returned, on the routes that it decided for."""
    ends = execution.inputs[ITERATIONS_INPUT]
    if len(ends) != 1:
        path = execution.path
        raise ListNotWhole(f'Loop "{path}" came to an end in {len(ends)} iterations, not in one.')
    end = IterationEnd.from_wire(ends[0])
    execution.decision = end.decision
    return here(end.output)


def routes_of(execution: Execution, role: Role, value: Any) -> Mapping[str, Any]:
    """Return by output what an op sends where the run need not go on.

    Args:
        execution: The execution.
        role: What the op does.
        value: What it returned, or why it did not.
    """
    step = execution.work.step
    if role == "gather":
        return _kept(execution, value)
    if isinstance(step, LoopStep):
        return _route_out_of_iteration(execution, step, value)
    if role not in ("end", "iterations") and not isinstance(step, BranchStep):
        return {}
    taken = execution.decision.taken if execution.decision else ()
    routes = routes_out(step, execution.path, value, taken)
    # Inside another run somebody has to hear what became of everything.
    decides = execution.decision is not None and execution.frame.path == RUN
    left_out = execution.work.cut_off.keys() - set(taken) if decides else ()
    return {step.route_output(slug): sent for slug, sent in routes.items() if slug not in left_out}


def _kept(execution: Execution, value: Any) -> dict[str, Any]:
    """Return what the helper before a subflow sends past it: its input, if it keeps that."""
    step = execution.subflow
    if not step.keep_input or kept_output(step) != KEPT_OUTPUT:
        return {}
    return {KEPT_OUTPUT: value if isinstance(value, Skipped) else execution.kept_input}


def first_iteration(execution: Execution) -> Iteration:
    """Return what the first iteration of a loop receives."""
    work = execution.work
    assert isinstance(work.step, LoopNode)  # noqa: S101
    found = outputs_by_dep(execution.receiver, work.parts, execution.values)
    if not isinstance(work.flow, LoopBody):
        refuse_bad_input(execution.frame, execution.inputs.get(FLOW_INPUT), work.flows)
    failed = next((value for value in found.values() if _is_failure_around(execution, value)), None)
    if failed is not None:
        return lost_iteration(execution, failed)
    waiting = waiting_among(found.values())
    if waiting is not None:
        raise Held(waiting)
    if not isinstance(work.flow, LoopBody):
        return Iteration(execution.flow_input, found)
    around = execution.this_iteration
    begins_both = work.flow.deciding.back_to == work.step.loop.back_to
    before = around.before if begins_both else {}
    return Iteration(execution.flow_input, {**around.outside, **found}, before)


def _is_failure_around(execution: Execution, value: Any) -> bool:
    """Return whether what arrived is the failure of a subflow or a loop that the loop lies in."""
    failed = isinstance(value, Skipped) and value.error is not None
    return failed and value.encloses(execution.frame.path)


def _route_out_of_iteration(execution: Execution, loop: LoopStep, value: Any) -> dict[str, Any]:
    """Return what the last op of an iteration sends: to the next iteration, or out of the loop."""
    decision = execution.decision
    if decision is not None and decision.again:
        return {AGAIN_OUTPUT: execution.this_iteration.following(loop, value).to_wire()}
    around = execution.frame.around
    if isinstance(value, Skipped) and around:
        # Where the last step of an iteration is skipped, the loop is; and so it fails with one.
        failed = value.error is not None and value.step == execution.frame.path
        if failed or value.step == execution.path:
            value = replace(value, step=around[0].path_to(loop.slug))
    return {DONE_OUTPUT: IterationEnd(value, decision).to_wire()}

"""Loops whose iterations are Dagster runs of their own, one after the other in one op.

So run the loops that would make too many graphs in a job, and those in a graph that is mapped.
"""

import time
from dataclasses import dataclass, field
from typing import Any

from dagster_pgflow.model.lowered import LoopNode
from dagster_pgflow.names import AGAIN_OUTPUT, DONE_OUTPUT, dagster_name
from dagster_pgflow.runtime.iterations import IterationEnd
from dagster_pgflow.runtime.kept_outputs import Kept
from dagster_pgflow.runtime.memory import KEEP_EVERY_S
from dagster_pgflow.runtime.op_execution import Execution
from dagster_pgflow.runtime.op_routes import first_iteration
from dagster_pgflow.runtime.op_runs_inside import RunHeld, digest, run_inside, tell_again
from dagster_pgflow.runtime.values import Skipped


@dataclass
class _Done:
    """The iterations of a loop that are over.

    Attributes:
        received: What tells apart what the first one received.
        following: What the next one receives, as it travels.
        runs: Their runs.
        held: The run of the next one, if a step in it waits.
    """

    received: str
    following: Any
    runs: list[str] = field(default_factory=list)
    held: dict[str, Any] | None = None


def run_iterations(execution: Execution) -> Any:
    """Run the iterations of a loop; return what the last one returned.

    A re-execution goes on with the iteration that failed.
    """
    first = first_iteration(execution)
    if isinstance(first.flow_input, Skipped):
        return first.flow_input
    done = _recalled(execution, first.to_wire())
    try:
        end = _remaining(execution, done)
    finally:
        execution.memory.remember_runs(vars(done))
    execution.decision = end.decision
    return end.output


def _recalled(execution: Execution, first: Any) -> _Done:
    """Return the iterations that an execution before this one had done, if they began alike."""
    kept = execution.memory.recall_runs()
    if kept.get("received") != digest(first):
        return _Done(digest(first), first)
    done = _Done(**kept)
    for number, run_id in enumerate(done.runs, 1):
        execution.turn_to(number)
        tell_again(execution, run_id)
    return done


def _remaining(execution: Execution, done: _Done) -> IterationEnd:
    loop = execution.work.step
    assert isinstance(loop, LoopNode)  # noqa: S101
    node, kept_at = dagster_name(loop.slug), time.monotonic()
    while True:
        execution.turn_to(len(done.runs) + 1)
        kept = Kept({node}, (AGAIN_OUTPUT, DONE_OUTPUT))
        before, done.held = done.held, None
        try:
            run_inside(execution, loop.flow, done.following, kept, before=before)
        except RunHeld as waiting:
            done.held = vars(waiting.run)
            raise
        for sent in kept.of(node, DONE_OUTPUT):
            return IterationEnd.from_wire(sent)
        [done.following] = kept.of(node, AGAIN_OUTPUT)
        done.runs.append(execution.child_runs[-1])
        if time.monotonic() - kept_at > KEEP_EVERY_S:
            execution.memory.remember_runs(vars(done))
            kept_at = time.monotonic()

"""Loops whose passes are Dagster runs of their own, one after the other in one op.

So run the loops that would make too many graphs in a job, and those in a graph that is mapped.
"""

import time
from dataclasses import dataclass, field
from typing import Any

from dagster_pgflow.model.loops import RepeatedStep
from dagster_pgflow.names import AGAIN_OUTPUT, DONE_OUTPUT, dagster_name
from dagster_pgflow.runtime.memory import KEEP_EVERY_S
from dagster_pgflow.runtime.op_execution import Execution
from dagster_pgflow.runtime.op_run_inside import Kept
from dagster_pgflow.runtime.op_runs_inside import digest, run_inside, tell_again
from dagster_pgflow.runtime.op_ways import first_pass
from dagster_pgflow.runtime.passes import PassEnd
from dagster_pgflow.runtime.values import Skipped


@dataclass
class _Done:
    """The passes of a loop that are over.

    Attributes:
        received: What tells apart what the first one received.
        following: What the next one receives, as it travels.
        runs: Their runs.
    """

    received: str
    following: Any
    runs: list[str] = field(default_factory=list)


def run_passes(execution: Execution) -> Any:
    """Run the passes of a loop; return what the last one returned.

    A re-execution goes on with the pass that failed.
    """
    first = first_pass(execution)
    if isinstance(first.flow_input, Skipped):
        return first.flow_input
    done = _recalled(execution, first.to_wire())
    try:
        end = _remaining(execution, done)
    finally:
        execution.remember_runs(vars(done))
    execution.choice = end.choice
    return end.output


def _recalled(execution: Execution, first: Any) -> _Done:
    """Return the passes that an execution before this one had done, if they began alike."""
    kept = execution.recall_runs()
    if kept.get("received") != digest(first):
        return _Done(digest(first), first)
    done = _Done(**kept)
    for number, run_id in enumerate(done.runs, 1):
        execution.turn_to(number)
        tell_again(execution, run_id)
    return done


def _remaining(execution: Execution, done: _Done) -> PassEnd:
    loop = execution.work.step
    assert isinstance(loop, RepeatedStep)  # noqa: S101
    node, kept_at = dagster_name(loop.slug), time.monotonic()
    while True:
        execution.turn_to(len(done.runs) + 1)
        kept = Kept({node}, (AGAIN_OUTPUT, DONE_OUTPUT))
        run_inside(execution, loop.flow, done.following, kept, {})
        for sent in kept.of(node, DONE_OUTPUT):
            return PassEnd.from_wire(sent)
        [done.following] = kept.of(node, AGAIN_OUTPUT)
        done.runs.append(execution.child_runs[-1])
        if time.monotonic() - kept_at > KEEP_EVERY_S:
            execution.remember_runs(vars(done))
            kept_at = time.monotonic()

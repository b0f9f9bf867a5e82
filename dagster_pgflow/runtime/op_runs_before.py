"""The run inside an op that was under way when the process of the run around it was lost.

Nobody could remember it in time. The log of the run around says which one it is, and what its steps
sent is where the outputs of steps are.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from dagster_pgflow.compat import KnownExecutionState, StepOutputHandle
from dagster_pgflow.dagster_log.event_pages import records_of
from dagster_pgflow.dagster_log.records import read_events
from dagster_pgflow.names import RESULT_OUTPUT, continuation_of
from dagster_pgflow.reports.report import ChildRunStarted
from dagster_pgflow.runtime.kept_outputs import Kept
from dagster_pgflow.runtime.op_execution import Execution
from dagster_pgflow.runtime.op_run_inside import Left

ENDED_WITH_ITS_PROCESS = "The process of this run was lost, and another run goes on with it."


def run_under_way(execution: Execution, inputs: Any) -> dg.DagsterRun | None:
    """Return the run inside that the op had begun when its process was lost; it is over now.

    None where the op was not under way, or begins with something else than it did.

    Args:
        execution: What the run lies in; its place is that of the run.
        inputs: What the run config of such a run has as its inputs.
    """
    context = execution.context
    # Dagster is told how often each step was begun in vain.
    if not execution.goes_on or context.retry_number == 0:
        return None
    begun = next(_begun_before(execution), None)
    run = None if begun is None else context.instance.get_run_by_id(begun)
    if run is None or run.run_config.get("inputs") != inputs:
        return None
    if not run.is_finished:
        context.instance.report_run_canceled(run, ENDED_WITH_ITS_PROCESS)
    return context.instance.get_run_by_id(run.run_id)


def _begun_before(execution: Execution) -> Iterator[str]:
    """Yield the runs that the op began at its place before, the newest first."""
    instance = execution.context.instance
    run: dg.DagsterRun | None = execution.context.run
    while run is not None and run.parent_run_id is not None and _is_same_run(execution, run):
        records, _ = records_of(instance, run.parent_run_id, (dg.DagsterEventType.ENGINE_EVENT,))
        reports = [
            run_event.report
            for run_event in read_events(records)
            if run_event.step_key == execution.step_key
        ]
        for report in reversed(reports):
            if isinstance(report, ChildRunStarted) and report.path == execution.place:
                yield report.child_run
        run = instance.get_run_by_id(run.parent_run_id)


def _is_same_run(execution: Execution, run: dg.DagsterRun) -> bool:
    """Return whether a Dagster run and its parent are one run of ours."""
    return execution.is_in_child_run or continuation_of(run.run_id, run.tags) is not None


def sent_before(execution: Execution, left: Left, kept: Kept) -> list[list[Any]]:
    """Return what is kept of what runs before have sent, and is not sent again.

    Args:
        execution: What they lay in.
        left: What is left to do of them.
        kept: Says what is kept.

    Returns:
        Lists of node, output and value.
    """
    context = execution.context.get_step_execution_context()
    manager = context.get_io_manager(StepOutputHandle(execution.step_key, RESULT_OUTPUT))
    return [
        [handle.step_key, handle.output_name, manager.load_input(_fed_by(run_id, handle))]
        for run_id, handle in _produced(left.state)
        if kept.takes(handle) and handle.step_key not in left.step_keys
    ]


def _produced(state: KnownExecutionState) -> Iterator[tuple[str, StepOutputHandle]]:
    before: Any = state.parent_state
    while before is not None:
        yield from ((before.run_id, handle) for handle in before.produced_outputs)
        before = before.parent_state


def _fed_by(run_id: str, handle: StepOutputHandle) -> dg.InputContext:
    sent = dg.build_output_context(step_key=handle.step_key, name=handle.output_name, run_id=run_id)
    return dg.build_input_context(upstream_output=sent)

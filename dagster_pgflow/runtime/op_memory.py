"""What an op takes over from the runs that its run goes on with."""

from typing import Any

import dagster as dg

from dagster_pgflow.runtime.memory import TaskMemory


def kept_before(
    memory: TaskMemory, context: dg.OpExecutionContext, step_key: str, *, counts_failures: bool
) -> dict[str, Any]:
    """Return what the runs kept that this one goes on with from their failures, newest first.

    One that ended before it came to the op, or with its process, kept nothing. What an op kept that
    came to its end is worthless: it is only run again behind something that is. But a map step that
    counts its failures may fail although its ops did not, and then they are run again for that.

    Args:
        memory: Where it was kept.
        context: Where the op runs.
        step_key: The op's step in Dagster.
        counts_failures: Whether it is one of a map step that counts its failures.
    """
    run: dg.DagsterRun | None = context.run
    while run is not None and run.parent_run_id and run.step_keys_to_execute is not None:
        kept = memory.recall_unfinished(run.parent_run_id, step_key)
        if kept is None and counts_failures and not _is_fed_anew(context, run):
            return memory.recall(run.parent_run_id, step_key)
        if kept is None:
            break
        if kept:
            return kept
        run = context.instance.get_run_by_id(run.parent_run_id)
    return {}


def _is_fed_anew(context: dg.OpExecutionContext, run: dg.DagsterRun) -> bool:
    """Say whether a run executes what sends the op its input."""
    executed = frozenset(run.step_keys_to_execute or ())
    inputs = context.get_step_execution_context().step.step_inputs
    senders = {
        output.step_key
        for step_input in inputs
        for output in step_input.get_step_output_handle_dependencies()
    }
    return not executed.isdisjoint(senders)

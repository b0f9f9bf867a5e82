"""What an op sends that can do nothing yet: the marker of the step that waits, on every output.

Every op behind it then runs too, finds the marker and sends it on. So Dagster's run ends well,
nothing is skipped that a failure could get in the way of, and whatever collects gets all that it
waits for.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from dagster_pgflow.dagster_log.op_reports import reported
from dagster_pgflow.model.steps import LoopStep
from dagster_pgflow.names import AGAIN_OUTPUT, DONE_OUTPUT, RESULT_OUTPUT
from dagster_pgflow.reports.report import StepHeld, StepPause, StepWaiting
from dagster_pgflow.runtime.holding import Held, WaitsItself
from dagster_pgflow.runtime.iterations import Iteration, IterationEnd
from dagster_pgflow.runtime.mapping import mapping_key
from dagster_pgflow.runtime.op_execution import Execution
from dagster_pgflow.runtime.op_shown import links_of
from dagster_pgflow.runtime.roles import Role


def held_results_of(
    execution: Execution, role: Role, held: Held
) -> Iterator[dg.Output[Any] | dg.DynamicOutput[Any]]:
    """Yield everything that an op sends which can do nothing yet.

    Args:
        execution: The execution.
        role: What the op does.
        held: Why it can do nothing.
    """
    report, shown, sentence = _news(execution, held)
    execution.context.log.info(sentence)
    for warning in execution.unanswered:
        execution.context.log.warning(warning)
    marker = held.waiting.to_wire()
    result = Iteration(held.waiting).to_wire() if role == "begin" else marker
    metadata = {**shown, **links_of(execution), **reported(report)}
    yield dg.Output(result, RESULT_OUTPUT, metadata=metadata)
    for output in execution.context.op_def.output_defs:
        if output.name in (RESULT_OUTPUT, AGAIN_OUTPUT):
            continue  # No further iteration begins before this one is over.
        if output.is_dynamic:
            # One element, so that what runs for each has an op to say so.
            yield dg.DynamicOutput(marker, mapping_key=mapping_key(0, 1), output_name=output.name)
        elif output.name == DONE_OUTPUT and isinstance(execution.work.step, LoopStep):
            yield dg.Output(IterationEnd(held.waiting).to_wire(), output.name)
        else:
            yield dg.Output(marker, output.name)


def _news(execution: Execution, held: Held) -> tuple[StepPause, dict[str, Any], str]:
    """Return what an op reports that can do nothing yet, what people see of it, and a sentence."""
    path, worker, step = execution.path, execution.worker, held.waiting.step
    if isinstance(held, WaitsItself):
        waiting = StepWaiting(
            worker=worker,
            step=path,
            kind=held.kind,
            waits_for=held.waits_for,
            due_at=held.due_at,
        )
        shown = {"waits for": held.waits_for}
        or_at = ""
        if held.due_at is not None:
            shown["until"] = _moment(held.due_at)
            or_at = "" if held.kind == "sleep" else f", or at {shown['until']}"
        told = f'Step "{path}" waits, and nothing failed. The run goes on with this{or_at}: '
        return waiting, shown, told + held.waits_for
    waits = {"waits for step": str(step)}
    told = f'Step "{path}" has nothing to do before step "{step}" has gone on, which waits.'
    return StepHeld(worker=worker, step=path, waiting_step=step), waits, told


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")

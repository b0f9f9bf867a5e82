"""What the ops do: where running steps meet Dagster.

It calls the pure functions beside it, and turns what they return or raise into Dagster's outputs,
retries and failures.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, assert_never

import dagster as dg

from dagster_pgflow.errors import PgflowError
from dagster_pgflow.model.lowered import LoopNode
from dagster_pgflow.model.steps import (
    BranchStep,
    JoinStep,
    LoopStep,
    MapStep,
    SingleStep,
    SleepStep,
    SubflowStep,
    WaitingStep,
)
from dagster_pgflow.names import (
    BATCH_INPUT,
    COLLECTED_INPUT,
    ITEMS_INPUT,
    KEPT_INPUT,
    fan_out_output,
)
from dagster_pgflow.reports.task_report import TaskReport
from dagster_pgflow.runtime.assembly import assemble, output_of_subflow, outputs_of_items
from dagster_pgflow.runtime.catching import with_received
from dagster_pgflow.runtime.failures import judged
from dagster_pgflow.runtime.fan_out import batches_of, taken_over, whole_list_of
from dagster_pgflow.runtime.frames import mapped_input, shaped_output
from dagster_pgflow.runtime.holding import Held, arrived, here
from dagster_pgflow.runtime.input_parts import InputPart
from dagster_pgflow.runtime.mapping import join, mapping_key
from dagster_pgflow.runtime.memory import KEEP_EVERY_S
from dagster_pgflow.runtime.op_arrivals import refuse_gaps
from dagster_pgflow.runtime.op_assets import told_assets
from dagster_pgflow.runtime.op_child_runs import run_child, run_child_of_item, run_children
from dagster_pgflow.runtime.op_execution import Execution
from dagster_pgflow.runtime.op_held import held_results_of
from dagster_pgflow.runtime.op_iteration_runs import run_iterations
from dagster_pgflow.runtime.op_memory import announce
from dagster_pgflow.runtime.op_results import (
    Sent,
    failed_result_of,
    failure_of,
    result_of,
    try_again,
    try_later,
)
from dagster_pgflow.runtime.op_routes import begin_loop, decide, end_loop, routes_of
from dagster_pgflow.runtime.op_waiting import run_waiting
from dagster_pgflow.runtime.op_work import Inputs, OpWork, TooEarly
from dagster_pgflow.runtime.roles import Role
from dagster_pgflow.runtime.tasks import TryAgain
from dagster_pgflow.runtime.values import Batch, Skipped, error_element, from_wire, to_wire
from dagster_pgflow.step_errors import StepError

Body = Callable[[dg.OpExecutionContext, Inputs], Iterator[Any]]

Work = Callable[[Execution], Any]
"""Does what an op is there for; returns what it sends on: JSON, `Skipped` or `Batch`."""


def run_single(execution: Execution) -> Any:
    """Run the handler of a step that is no map, or hand on what a join received."""
    return execution.run_only_task(execution.given())


def run_batch(execution: Execution) -> Any:
    """Run a map step's handler for each element of a batch.

    Elements that an earlier attempt completed, or that must not be tried again, are left alone.
    """
    return _run(execution, _received(execution))


def run_whole_list(execution: Execution) -> Any:
    """Run a map step's handler for each element of its list, where one op does it all.

    Dagster 1.13 has no dynamic outputs inside a graph that is mapped itself.
    """
    step, given = execution.work.step, execution.gathered()
    assert isinstance(step, MapStep)  # noqa: S101
    whole = whole_list_of(execution.frame, step, given, execution.facts)
    execution.whole_list = len(whole.values) if isinstance(whole, Batch) else 0
    execution.tasks.whole_list = execution.whole_list
    done = _run(execution, whole)
    return execution.mergeable(done if isinstance(done, Skipped) else list(done.values))


def _run(execution: Execution, batch: Batch | Skipped) -> Batch | Skipped:
    if isinstance(batch, Skipped):
        return batch
    if batch.error is not None:
        raise StepError(batch.error)
    if not batch.values:
        return batch
    execution.prepare(batch.not_before)
    outputs = _run_elements(execution, batch)
    values = (
        outputs[index] if index in outputs else _error_of(execution.tasks.reports[index])
        for index in range(batch.start, batch.start + len(batch.values))
    )
    return execution.tasks.settle() or Batch(
        batch.start, tuple(values), batch.of, failed=execution.tasks.counted_failures
    )


def _received(execution: Execution) -> Batch | Skipped:
    step, sent = execution.work.step, execution.inputs[BATCH_INPUT]
    if isinstance(step, MapStep) and step.pipelined:
        return taken_over(execution.frame, step, sent)
    received: Batch | Skipped = arrived(sent)
    return received


def _run_elements(execution: Execution, batch: Batch) -> dict[int, Any]:
    """Run what is left to do of a batch; return the outputs of the completed ones by index."""
    outputs = execution.memory.recall()
    kept_at = time.monotonic()
    for index, value in enumerate(batch.values, batch.start):
        if index in execution.tasks.reports:
            continue
        output = execution.run_task(index, value)
        if execution.tasks.reports[index].status == "completed":
            outputs[index] = output
        # What is kept survives the process, too.
        if time.monotonic() - kept_at > KEEP_EVERY_S:
            execution.memory.remember(outputs)
            kept_at = time.monotonic()
    if execution.tasks.errors and len(batch.values) > 1:
        execution.memory.remember(outputs)
    return outputs


def _error_of(report: TaskReport) -> dict[str, Any]:
    return error_element(report.error or "", report.attempts)


def send_batches(_execution: Execution) -> None:
    """Do nothing more than what every op does that feeds map steps."""


def collect(execution: Execution) -> Any:
    """Collect the outputs of a map step, unless too many of them are errors."""
    step = execution.work.step
    assert isinstance(step, MapStep)  # noqa: S101
    received = [from_wire(item) for item in execution.inputs[COLLECTED_INPUT]]
    outputs = here(join(received, execution.path))
    if isinstance(outputs, Skipped):
        return outputs
    return execution.mergeable(judged(step, execution.path, received, outputs))


def gather(execution: Execution) -> Any:
    """Put a subflow's input together."""
    step, around = execution.subflow, execution.asked_flow_input
    given = execution.given()
    execution.kept_input = execution.input_of(given)
    return mapped_input(execution.frame, step, given, around)


def send_items(execution: Execution) -> Any:
    """Say why a subflow runs for no item of its list, when it does not.

    Else it says how many items there are. Where one op does all of them, they are sent to it as
    one value.
    """
    if isinstance(execution.items, Skipped):
        return execution.items
    count = len(execution.items)
    return count if execution.work.feeds else Batch(0, tuple(execution.items), count)


def shape_output(execution: Execution) -> Any:
    """Put a subflow's output together, after a check of what its flow returned."""
    work, step, frame = execution.work, execution.subflow, execution.frame
    child = work.flows[step.flow]
    if step.over is None:
        returned = here(output_of_subflow(frame.path_of(step), work.parts, execution.values))
        kept = from_wire(execution.inputs[KEPT_INPUT]) if step.keep_input else None
        if isinstance(returned, Skipped):
            return with_received(frame, step, returned, kept)
        return execution.mergeable(shaped_output(frame, step, child, returned, given=kept))
    news = arrived(execution.inputs[ITEMS_INPUT])
    if isinstance(news, Skipped):
        return news
    outputs = outputs_of_items(frame.path_of(step), work.parts, execution.values, _count_of(news))
    if isinstance(outputs, Skipped):
        return outputs
    shaped = [
        shaped_output(frame, step, child, returned, index) for index, returned in enumerate(outputs)
    ]
    return execution.mergeable(shaped)


def _count_of(news: Any) -> int | None:
    """Return how many items were sent out; a run that began with older code does not say."""
    return len(news.values) if isinstance(news, Batch) else news


HELP: Mapping[Role, Work] = {
    "fan_out": send_batches,
    "collect": collect,
    "items": send_items,
    "gather": gather,
    "output": shape_output,
    "begin": begin_loop,
    "end": end_loop,
    "iterations": run_iterations,
}


def body_of(role: Role, work: OpWork) -> Body:
    """Return the function that Dagster calls when the op runs."""
    does = _work_of(work) if role == "step" else HELP[role]

    def body(context: dg.OpExecutionContext, inputs: Inputs) -> Iterator[Any]:
        execution = Execution(work, context, inputs)
        if execution.conductor is not None and execution.conductor.is_cancelled:
            raise dg.DagsterExecutionInterruptedError
        try:
            refuse_gaps(context, inputs, execution.path)
            value = does(execution)
            sent = [(step, _batches(execution, role, step, value)) for step in work.feeds]
        except Held as held:
            yield from held_results_of(execution, role, held)
            return
        except TryAgain as again:
            raise try_again(execution, again) from again.error
        except TooEarly as early:
            raise try_later(execution, early) from early
        except PgflowError as error:
            caught = execution.caught(error)
            if caught is None:
                raise failure_of(execution, error) from error
            value = caught.marker
            # Items that are not sent out need no news: whoever waits for them asks this op too.
            maps = [step for step in work.feeds if isinstance(step, MapStep)]
            sent = [(fed, _news_of(execution, role, fed, value)) for fed in maps]
            yield failed_result_of(execution, role, caught, error, sent)
        else:
            yield result_of(execution, role, value, sent)
        for name, opened in routes_of(execution, role, value).items():
            yield dg.Output(to_wire(opened), name)
        elements = _elements(sent)
        announce(context, execution.step_key, elements)
        yield from elements
        yield from told_assets(execution, role, value)

    return body


def _elements(sent: Sent) -> list[dg.DynamicOutput[Any]]:
    """Return what goes out to the steps that run over lists, in its order."""
    return [
        dg.DynamicOutput(
            batch.to_wire(),
            mapping_key=mapping_key(index, len(batches)),
            output_name=fan_out_output(step.slug),
        )
        for step, batches in sent
        for index, batch in enumerate(batches)
    ]


def _work_of(work: OpWork) -> Work:
    match work.step:
        case BranchStep() | LoopStep():
            return decide
        case MapStep():
            return run_whole_list if work.in_items else run_batch
        case SubflowStep(over=None):
            return run_child
        case SubflowStep():
            return run_children if work.in_items else run_child_of_item
        case SingleStep() | JoinStep():
            return run_single
        case WaitingStep() | SleepStep():
            return run_waiting
        case LoopNode():
            raise AssertionError(f"Loop {work.step.slug} begins and ends in helpers of its own.")
        case _:
            assert_never(work.step)


def _news_of(
    execution: Execution, role: Role, step: MapStep, failure: Skipped
) -> list[Batch | Skipped]:
    """Return what a map step receives from an op that failed: its own failure, or that before."""
    if role == "fan_out":
        return [failure]
    return _batches(execution, role, step, failure)


def _batches(
    execution: Execution, role: Role, step: MapStep | SubflowStep, value: Any
) -> list[Batch | Skipped]:
    """Return what a step that runs over a list receives.

    It comes from the op before it, or through a helper of its own.
    """
    if isinstance(step, SubflowStep):
        items = [] if isinstance(execution.items, Skipped) else execution.items
        return [Batch(index, (item,), len(items)) for index, item in enumerate(items)]
    if role == "fan_out":
        return batches_of(execution.frame, step, execution.gathered(), execution.facts)
    own = InputPart(execution.work.step.slug)
    given = assemble(execution.frame.receiver(step), (own,), {own: to_wire(value)})
    return batches_of(execution.frame, step, given, execution.facts)

"""What the ops do: where running steps meet Dagster.

It calls the pure functions beside it, and turns what they return or raise into Dagster's outputs,
retries and failures.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from dagster_pgflow.errors import PgflowError, StepError
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import pipeline_behind
from dagster_pgflow.model.loops import RepeatedStep
from dagster_pgflow.model.step import BranchStep, LoopStep, MapStep, Step, SubflowStep
from dagster_pgflow.names import (
    BATCH_INPUT,
    COLLECTED_INPUT,
    ITEMS_INPUT,
    OUTCOME_KEY,
    RESULT_OUTPUT,
    fan_out_output,
    pass_path,
)
from dagster_pgflow.runtime import outcome
from dagster_pgflow.runtime.assembly import assemble, output_of_subflow, outputs_of_items
from dagster_pgflow.runtime.failures import judged
from dagster_pgflow.runtime.fan_out import batches_of, taken_over, whole_list_of
from dagster_pgflow.runtime.frames import mapped_input, shaped_output
from dagster_pgflow.runtime.mapping import join, mapping_key
from dagster_pgflow.runtime.memory import KEEP_EVERY_S
from dagster_pgflow.runtime.op_arrivals import refuse_gaps
from dagster_pgflow.runtime.op_child_runs import run_child, run_child_of_item, run_children
from dagster_pgflow.runtime.op_execution import (
    Execution,
    reason_of,
)
from dagster_pgflow.runtime.op_pass_runs import run_passes
from dagster_pgflow.runtime.op_reports import reported
from dagster_pgflow.runtime.op_shown import links_of, shown_of, skip_sentence
from dagster_pgflow.runtime.op_ways import begin_loop, decide, end_loop, lost_pass, ways_of
from dagster_pgflow.runtime.op_work import Inputs, OpWork, Role, TooEarly
from dagster_pgflow.runtime.outcome import TaskReport
from dagster_pgflow.runtime.sources import Source
from dagster_pgflow.runtime.tasks import TryAgain
from dagster_pgflow.runtime.values import Batch, Skipped, error_element, from_wire, to_wire

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
    return done if isinstance(done, Skipped) else list(done.values)


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
    step, arrived = execution.work.step, execution.inputs[BATCH_INPUT]
    if isinstance(step, MapStep) and step.pipelined:
        return taken_over(execution.frame, step, arrived)
    received: Batch | Skipped = from_wire(arrived)
    return received


def _run_elements(execution: Execution, batch: Batch) -> dict[int, Any]:
    """Run what is left to do of a batch; return the outputs of the completed ones by index."""
    outputs = execution.recall()
    kept_at = time.monotonic()
    for index, value in enumerate(batch.values, batch.start):
        if index in execution.tasks.reports:
            continue
        output = execution.run_task(index, value)
        if execution.tasks.reports[index].status == "completed":
            outputs[index] = output
        # What is kept survives the process, too.
        if time.monotonic() - kept_at > KEEP_EVERY_S:
            execution.remember(outputs)
            kept_at = time.monotonic()
    if execution.tasks.errors and len(batch.values) > 1:
        execution.remember(outputs)
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
    outputs = join(received, ".".join(execution.path))
    if isinstance(outputs, Skipped):
        return outputs
    return judged(step, execution.path, received, outputs)


def gather(execution: Execution) -> Any:
    """Put a subflow's input together."""
    step, around = execution.subflow, execution.asked_flow_input
    return mapped_input(execution.frame, step, execution.given(), around)


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
        returned = output_of_subflow(frame.path_of(step), work.sources, execution.values)
        return shaped_output(frame, step, child, returned)
    news = from_wire(execution.inputs[ITEMS_INPUT])
    if isinstance(news, Skipped):
        return news
    outputs = outputs_of_items(frame.path_of(step), work.sources, execution.values, _count_of(news))
    if isinstance(outputs, Skipped):
        return outputs
    return [
        shaped_output(frame, step, child, returned, index) for index, returned in enumerate(outputs)
    ]


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
    "passes": run_passes,
}


def body_of(role: Role, work: OpWork) -> Body:
    """Return the function that Dagster calls when the op runs."""
    does = _work_of(role, work)

    def body(context: dg.OpExecutionContext, inputs: Inputs) -> Iterator[Any]:
        execution = Execution(work, context, inputs)
        try:
            refuse_gaps(context, inputs, ".".join(execution.path))
            value = does(execution)
            sent = [(step, _batches(execution, role, step, value)) for step in work.feeds]
        except TryAgain as again:
            _tell_retry(execution, again)
            raise _retry_after(execution, again.seconds) from again.error
        except TooEarly as early:
            _tell_delay(execution, early)
            raise _retry_after(execution, early.seconds) from early
        except PgflowError as error:
            value = execution.routed(error)
            if value is None:
                raise _failure(execution, error) from error
            # Items that are not sent out need no news: whoever waits for them asks this op too.
            sent = [(step, [value]) for step in work.feeds if isinstance(step, MapStep)]
            yield _failed_result(execution, role, value, error)
        else:
            yield _result(execution, role, value, sent)
        for name, opened in ways_of(execution, role, value).items():
            yield dg.Output(to_wire(opened), name)
        for step, batches in sent:
            for index, batch in enumerate(batches):
                yield dg.DynamicOutput(
                    batch.to_wire(),
                    mapping_key=mapping_key(index, len(batches)),
                    output_name=fan_out_output(step.slug),
                )

    return body


def _work_of(role: Role, work: OpWork) -> Work:
    if role != "step":
        return HELP[role]
    match work.step:
        case BranchStep() | LoopStep():
            return decide
        case MapStep():
            return run_whole_list if work.in_items else run_batch
        case SubflowStep(over=None):
            return run_child
        case SubflowStep():
            return run_children if work.in_items else run_child_of_item
        case _:
            return run_single


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
    own = Source(execution.work.step.slug)
    given = assemble(execution.frame.receiver(step), (own,), {own: to_wire(value)})
    return batches_of(execution.frame, step, given, execution.facts)


def _result(
    execution: Execution,
    role: Role,
    value: Any,
    sent: Sequence[tuple[MapStep | SubflowStep, Sequence[Batch | Skipped]]],
) -> dg.Output[Any]:
    reports = execution.tasks.reported
    if isinstance(value, Skipped):
        execution.context.log.info(skip_sentence(execution, value))
    if isinstance(value, Skipped) and value.error is not None:
        report = outcome.cancelled(".".join(value.step), execution.worker)
    elif isinstance(value, Skipped):
        report = outcome.skipped(value, reports, execution.worker)
    else:
        report = outcome.completed(to_wire(value), reports, execution.worker)
    report |= _whole_list(execution)
    if isinstance(execution.work.step, SubflowStep) and isinstance(value, Batch):
        report["fans_out"] = {execution.work.step.slug: _counts([value])}
    elif sent:
        report["fans_out"] = {
            fed.slug: _counts(batches)
            for step, batches in sent
            for fed in _all_fed(execution.work.flow, step)
        }
    if execution.caught_items:
        report["failed_items"] = execution.caught_items
    report["step"] = ".".join(execution.path)
    report |= _flow_that_is_run(execution, role)
    report |= execution.choice.to_json() if execution.choice else {}
    report |= _warnings(execution)
    metadata: dict[str, Any] = {**shown_of(value), **links_of(execution)}
    metadata[OUTCOME_KEY] = reported(report)
    return dg.Output(to_wire(value), RESULT_OUTPUT, metadata=metadata)


def _warnings(execution: Execution) -> dict[str, list[str]]:
    """Say in the run's log, and return for the report, which conditions had no answer."""
    for sentence in execution.unanswered:
        execution.context.log.warning(sentence)
    return {"unanswered": execution.unanswered} if execution.unanswered else {}


def _flow_that_is_run(execution: Execution, role: Role) -> dict[str, str]:
    """Return which flow an op has run as a run of its own, and the path that this begins with."""
    step, path = execution.work.step, ".".join(execution.path)
    if role == "step" and isinstance(step, SubflowStep):
        return {"runs_flow": step.flow, "runs_at": path}
    if role == "passes" and isinstance(step, RepeatedStep):
        return {"runs_flow": step.flow, "runs_at": pass_path(path, 1)}
    return {}


def _whole_list(execution: Execution) -> dict[str, Any]:
    """Return how long the list is of which the op does all, as far as it came to know that."""
    if execution.whole_list is None:
        return {}
    counts = {"tasks": execution.whole_list, "batches": 1}
    return {"fans_out": {execution.work.step.slug: counts}}


def _all_fed(flow: Flow, step: MapStep | SubflowStep) -> Iterator[Step]:
    """Yield the steps that run on batches which are sent to one of them."""
    yield step
    if isinstance(step, MapStep):
        yield from pipeline_behind(flow, step)


def _counts(batches: Sequence[Batch | Skipped]) -> dict[str, int]:
    tasks = sum(len(batch.values) for batch in batches if isinstance(batch, Batch))
    return {"tasks": tasks, "batches": len(batches)}


def _failure(execution: Execution, error: PgflowError) -> dg.Failure:
    return dg.Failure(
        description=str(error),
        metadata=_failure_metadata(execution, error),
        # The attempts were counted here; Dagster has no retries to add.
        allow_retries=False,
    )


def _failed_result(
    execution: Execution, role: Role, value: Skipped, error: PgflowError
) -> dg.Output[Any]:
    """Return the output of an op that failed where the flow around its subflow goes on."""
    execution.context.log.error('Subflow "%s" fails: %s', ".".join(value.step), error)
    metadata = _failure_metadata(execution, error, {"failed_subflow": ".".join(value.step)})
    sent = lost_pass(execution, value) if role == "begin" else value
    return dg.Output(sent.to_wire(), RESULT_OUTPUT, metadata=metadata)


def _failure_metadata(
    execution: Execution, error: PgflowError, more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    step = ".".join(execution.failed_path(error))
    report = outcome.failed(reason_of(error), step, execution.tasks.reported, execution.worker)
    report |= {"step": ".".join(execution.path), "place": ".".join(execution.place)}
    report |= {**_whole_list(execution), **_warnings(execution), **(more or {})}
    if not error.is_routable:
        report["cause"] = outcome.STORE
    told = {"failed": str(error), **links_of(execution)}
    return told | {OUTCOME_KEY: reported(report)}


def _tell_retry(execution: Execution, again: TryAgain) -> None:
    """Write to the run's log what came of an attempt that another one follows."""
    tasks = execution.tasks
    failed = sum(report.status == "failed" for report in tasks.tried)
    what = f" for {failed} of {len(tasks.tried)} tasks" if len(tasks.tried) > 1 else ""
    execution.tell(
        f"Attempt {tasks.attempt} of {execution.effort.max_attempts} failed{what}; the next one"
        f" begins in {again.seconds:.1f} s. {again.error}",
        outcome.retrying(tasks.attempt + 1, again.seconds, tasks.news, execution.worker),
    )


def _tell_delay(execution: Execution, early: TooEarly) -> None:
    execution.tell(
        f'Step "{".".join(execution.path)}" waits. {early}',
        outcome.delayed(early.seconds, execution.worker),
    )


def _retry_after(execution: Execution, seconds: float) -> dg.RetryRequested:
    """Return what makes Dagster run the op again; the number of attempts is counted here."""
    delays = 1 if execution.effort.start_delay else 0
    return dg.RetryRequested(
        max_retries=max(execution.effort.max_attempts, 1) - 1 + delays, seconds_to_wait=seconds
    )

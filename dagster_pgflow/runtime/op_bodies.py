"""What the ops do: the one file where running steps meet Dagster.

It reads Dagster's context, calls the pure functions beside it, and turns what they return or
raise into Dagster's outputs, retries and failures.
"""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, assert_never

import dagster as dg

from dagster_pgflow.errors import (
    ConditionNotMet,
    InvalidInput,
    PgflowError,
    StepError,
    UnknownHandler,
)
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.options import effort_of
from dagster_pgflow.model.step import HandledStep, MapStep, Step
from dagster_pgflow.names import (
    BATCH_INPUT,
    COLLECTED_INPUT,
    FLOW_INPUT,
    OUTCOME_KEY,
    RESULT_OUTPUT,
    TAG_FLOW,
    TAG_RUN_ID,
    fan_out_output,
)
from dagster_pgflow.runtime import outcome
from dagster_pgflow.runtime.attempt import attempt
from dagster_pgflow.runtime.conditions import Facts
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.runtime.fan_out import batches_of
from dagster_pgflow.runtime.frames import (
    Frame,
    check,
    flow_input,
    frame_at,
    refuse_bad_input,
    step_input,
)
from dagster_pgflow.runtime.handlers import Handler, HandlerRegistry
from dagster_pgflow.runtime.mapping import join, mapping_key
from dagster_pgflow.runtime.memory import TaskMemory
from dagster_pgflow.runtime.sources import Flows, Source, assemble, input_names
from dagster_pgflow.runtime.tasks import Tasks, TryAgain
from dagster_pgflow.runtime.values import Batch, Skipped, from_wire

PGFLOW_KEY = "pgflow"
IO_MANAGER_KEY = "pgflow_io_manager"
SHOWN_LENGTH = 200

Role = Literal["step", "fan_out", "collect", "gather"]
"""What an op does: a step of a flow, or help where Dagster leaves no other way."""

Inputs = Mapping[str, Any]
Body = Callable[[dg.OpExecutionContext, Inputs], Iterator[Any]]


@dataclass(frozen=True)
class OpWork:
    """What one op does: a step of a flow, or help for one.

    Attributes:
        flow: The flow that the op belongs to.
        step: The step that it is, or helps.
        sources: What the step receives, where the op puts that together.
        feeds: The map steps whose batches it sends out.
        flows: Every flow of the code location by slug.
        handlers: Its handlers.
    """

    flow: Flow
    step: Step
    sources: tuple[Source, ...]
    feeds: tuple[MapStep, ...]
    flows: Flows
    handlers: HandlerRegistry

    @cached_property
    def input_names(self) -> dict[Source, str]:
        """The name of the op input for each source."""
        return input_names(self.sources)

    @cached_property
    def handler(self) -> Handler | None:
        """The step's handler, when this code location registers it."""
        named = self.step.handler if isinstance(self.step, HandledStep) else None
        return self.handlers.find(self.flow.slug, self.step.slug, named)


class Execution:
    """One execution of one op: where it stands, what it was given, what it reports."""

    def __init__(self, work: OpWork, context: dg.OpExecutionContext, inputs: Inputs) -> None:
        self.work = work
        self.context = context
        self.inputs = inputs
        *around, self.node = context.op_handle.path
        top = work.flows[context.run.tags[TAG_FLOW]]
        self.frame: Frame = frame_at(top, around, work.flows)
        self.path = self.frame.path_of(work.step)
        self.tasks = Tasks(
            work.step,
            self.path,
            effort_of(work.flow.options, work.step.options),
            context.retry_number + 1,
        )

    @property
    def run_id(self) -> str:
        """The run's id in `pgflow.runs`; a re-execution is a run of its own."""
        run = self.context.run
        if run.parent_run_id is not None:
            return run.run_id
        return run.tags.get(TAG_RUN_ID, run.run_id)

    @property
    def worker(self) -> str:
        """The process that does the work."""
        return f"{socket.gethostname()}:{os.getpid()}"

    @cached_property
    def flow_input(self) -> Any:
        """The input of the flow that the op belongs to, or `Skipped`."""
        return flow_input(self.frame, self.inputs.get(FLOW_INPUT), self.work.flows)

    @property
    def facts(self) -> Facts:
        """What conditions in CEL may ask besides a step's input."""
        return Facts(self.run_id, lambda: self.flow_input, self.context.log.warning)

    def gathered(self) -> Any:
        """Return the step's input before its conditions are looked at, or `Skipped`."""
        if not self.work.sources:
            refuse_bad_input(self.frame, self.inputs.get(FLOW_INPUT), self.work.flows)
            return self.flow_input
        return assemble(self.frame.path, self.work.sources, self._values())

    def given(self) -> Any:
        """Return the step's input, or `Skipped`."""
        if not self.work.sources:
            return check(self.frame, self.work.step, self.gathered(), self.facts)
        values = self._values()
        return step_input(self.frame, self.work.step, self.work.sources, values, self.facts)

    def run_task(self, index: int, value: Any) -> Any:
        """Run one task of the step; return its output, or `None` after an error that is kept."""
        return self.tasks.run(index, value, self._attempt)

    def prepare(self, delay: float) -> None:
        """Make sure that there is a handler, and wait before the first try.

        Args:
            delay: Seconds.

        Raises:
            UnknownHandler: This code location does not register it.
        """
        self._find_handler()
        if delay > 0 and self.tasks.attempt == 1:
            self.context.log.info('Step "%s" starts in %.1f s.', ".".join(self.path), delay)
            time.sleep(delay)

    def remember(self, outputs: Mapping[int, Any]) -> None:
        """Keep the finished elements of a batch that failed: for the next attempt, and for SQL."""
        self._memory.remember(self.context.run_id, self._step_key, self.tasks.finished(outputs))

    def recall(self) -> dict[int, Any]:
        """Return the outputs of the elements that an earlier attempt completed, by index."""
        if self.tasks.attempt == 1:
            return {}
        return self.tasks.resume(self._memory.recall(self.context.run_id, self._step_key))

    @property
    def _memory(self) -> TaskMemory:
        memory: TaskMemory = getattr(self.context.resources, PGFLOW_KEY)
        return memory

    @property
    def _step_key(self) -> str:
        mapped = self.context.get_mapping_key()
        path = ".".join(self.context.op_handle.path)
        return path if mapped is None else f"{path}[{mapped}]"

    def _find_handler(self) -> Handler:
        """Return the step's handler.

        Raises:
            UnknownHandler: This code location does not register it.
        """
        if self.work.handler is not None:
            return self.work.handler
        step, flow = self.work.step, self.work.flow.slug
        named = step.handler if isinstance(step, HandledStep) else None
        names = f'"{named}"' if named else f'"{flow}.{step.slug}" or "{step.slug}"'
        raise UnknownHandler(
            f'Step "{".".join(self.path)}" has no handler: this code location registers none'
            f" called {names}; add a function decorated with @handler under that name."
        )

    def _attempt(self, index: int, value: Any) -> Any:
        handler = self._find_handler()
        path = ".".join(self.path)
        context = StepContext(
            flow_input=self.flow_input if handler.wants_context else None,
            run_id=self.run_id,
            flow_slug=self.work.flow.slug,
            step_slug=self.work.step.slug,
            step_path=path,
            task_index=index,
            attempt=self.tasks.attempt,
            idempotency_key=f"{self.run_id}:{path}:{index}",
            params=self.work.step.params if isinstance(self.work.step, HandledStep) else {},
            log=self.context.log,
            resources=self.context.resources,
        )
        return attempt(handler, value, context, self.tasks.effort.timeout)

    def _values(self) -> dict[Source, Any]:
        return {source: self.inputs[name] for source, name in self.work.input_names.items()}


Work = Callable[[Execution], Any]
"""Does what an op is there for; returns what it sends on: JSON, `Skipped` or `Batch`."""


def run_single(execution: Execution) -> Any:
    """Run a single step's handler."""
    given = execution.given()
    if isinstance(given, Skipped):
        return given
    execution.prepare(execution.tasks.effort.start_delay)
    output = execution.run_task(0, given)
    return execution.tasks.settle() or output


def run_batch(execution: Execution) -> Any:
    """Run a map step's handler for each element of a batch.

    Elements that an earlier attempt completed, or that must not be tried again, are left alone.
    """
    batch = from_wire(execution.inputs[BATCH_INPUT])
    if isinstance(batch, Skipped):
        return batch
    if batch.error is not None:
        raise StepError(batch.error)
    if batch.values:
        execution.prepare((batch.not_before or 0) - time.time())
    outputs = execution.recall()
    for index, value in enumerate(batch.values, batch.start):
        if index not in execution.tasks.reports:
            output = execution.run_task(index, value)
            if execution.tasks.reports[index].status == "completed":
                outputs[index] = output
    if execution.tasks.errors and len(batch.values) > 1:
        execution.remember(outputs)
    skip = execution.tasks.settle()
    return skip or Batch(batch.start, tuple(outputs[index] for index in sorted(outputs)))


def send_batches(_execution: Execution) -> None:
    """Do nothing more than what every op does that feeds map steps."""


def collect(execution: Execution) -> Any:
    """Collect the outputs of a map step."""
    return join([from_wire(item) for item in execution.inputs[COLLECTED_INPUT]])


def gather(execution: Execution) -> Any:
    """Put a subflow's input together."""
    return execution.given()


def body_of(role: Role, work: OpWork) -> Body:
    """Return the function that Dagster calls when the op runs."""
    does = _work_of(role, work.step)

    def body(context: dg.OpExecutionContext, inputs: Inputs) -> Iterator[Any]:
        execution = Execution(work, context, inputs)
        try:
            value = does(execution)
            sent = [(step, _batches(execution, role, step, value)) for step in work.feeds]
        except TryAgain as again:
            raise dg.RetryRequested(
                max_retries=execution.tasks.effort.max_attempts - 1,
                seconds_to_wait=again.seconds,
            ) from again.error
        except PgflowError as error:
            raise _failure(execution, error) from error
        yield _result(execution, value, sent)
        for step, batches in sent:
            for index, batch in enumerate(batches):
                yield dg.DynamicOutput(
                    batch.to_wire(),
                    mapping_key=mapping_key(index, len(batches)),
                    output_name=fan_out_output(step.slug),
                )

    return body


def _work_of(role: Role, step: Step) -> Work:
    match role:
        case "step":
            return run_batch if isinstance(step, MapStep) else run_single
        case "fan_out":
            return send_batches
        case "collect":
            return collect
        case "gather":
            return gather
        case _:
            assert_never(role)


def _batches(execution: Execution, role: Role, step: MapStep, value: Any) -> list[Batch | Skipped]:
    """Return what a map step receives: from the op before it, or through its own helper."""
    if role == "fan_out":
        return batches_of(execution.frame, step, execution.gathered(), execution.facts)
    own = Source(execution.work.step.slug)
    given = assemble(execution.frame.path, (own,), {own: _wire(value)})
    return batches_of(execution.frame, step, given, execution.facts)


def _wire(value: Any) -> Any:
    return value.to_wire() if isinstance(value, Skipped | Batch) else value


def _result(
    execution: Execution, value: Any, sent: Sequence[tuple[MapStep, Sequence[Batch | Skipped]]]
) -> dg.Output[Any]:
    reports = execution.tasks.reported
    if isinstance(value, Skipped):
        execution.context.log.info(_skip_sentence(execution, value))
        report = outcome.skipped(value, reports, execution.worker)
    else:
        report = outcome.completed(_wire(value), reports, execution.worker)
    if sent:
        report["fans_out"] = {step.slug: _counts(batches) for step, batches in sent}
    metadata: dict[str, Any] = {**_for_people(value), OUTCOME_KEY: dg.MetadataValue.json(report)}
    return dg.Output(_wire(value), RESULT_OUTPUT, metadata=metadata)


def _for_people(value: Any) -> dict[str, str]:
    """Return what the Dagster UI shows of an output at first glance."""
    if isinstance(value, Skipped):
        return {"skipped": value.reason}
    shown = list(value.values) if isinstance(value, Batch) else value
    text = json.dumps(shown, ensure_ascii=False)
    return {"output": text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]} …"}


def _counts(batches: Sequence[Batch | Skipped]) -> dict[str, int]:
    tasks = sum(len(batch.values) for batch in batches if isinstance(batch, Batch))
    return {"tasks": tasks, "batches": len(batches)}


def _skip_sentence(execution: Execution, skip: Skipped) -> str:
    words = {
        "condition_unmet": "a condition does not hold",
        "handler_failed": "the last attempt failed",
        "dependency_skipped": "a step that it depends on was skipped",
    }
    return f'Step "{".".join(execution.path)}" is skipped: {words[skip.reason]}.'


def _failure(execution: Execution, error: PgflowError) -> dg.Failure:
    reports = execution.tasks.reported
    # What keeps a subflow from running is found out by the first ops inside it.
    elsewhere = error.step_path if isinstance(error, ConditionNotMet | InvalidInput) else ""
    step = elsewhere or ".".join(execution.path)
    report = outcome.failed(str(error), step, reports, execution.worker)
    return dg.Failure(
        description=str(error),
        metadata={OUTCOME_KEY: dg.MetadataValue.json(report)},
        # The attempts were counted here; Dagster has no retries to add.
        allow_retries=False,
    )

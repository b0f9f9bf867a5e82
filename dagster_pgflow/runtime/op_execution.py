"""One execution of an op: where it stands, what it was given, how its tasks go.

Like the other `op_` files it looks at Dagster; the rest of the runtime does not.
"""

import os
import socket
import time
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import dagster as dg

from dagster_pgflow.compat import EngineEventData
from dagster_pgflow.errors import ChildRunFailed, ConditionNotMet, PgflowError
from dagster_pgflow.json_values.limits import refuse_beyond_limits
from dagster_pgflow.model.loops import Body, whole_of
from dagster_pgflow.model.options import effort_of
from dagster_pgflow.model.step import HandledStep, LoopStep, MapStep, SubflowStep
from dagster_pgflow.names import (
    FLOW_INPUT,
    OUTCOME_KEY,
    PGFLOW_KEY,
    TAG_FLOW,
    TAG_LOOP,
    TAG_RUN_ID,
    child_run_path,
)
from dagster_pgflow.runtime.assembly import Receiver, assemble
from dagster_pgflow.runtime.attempt import attempt
from dagster_pgflow.runtime.child_trace import trace_of
from dagster_pgflow.runtime.conditions import Facts
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.runtime.decisions import Choice, Deciding, handed_on
from dagster_pgflow.runtime.frames import (
    Frame,
    check,
    flow_input,
    frame_at,
    items_of,
    outermost,
    refuse_bad_input,
)
from dagster_pgflow.runtime.handlers import Handler
from dagster_pgflow.runtime.memory import TaskMemory
from dagster_pgflow.runtime.op_memory import kept_before
from dagster_pgflow.runtime.op_outcomes import outcomes_in
from dagster_pgflow.runtime.op_reports import reported
from dagster_pgflow.runtime.op_work import Inputs, OpWork, TooEarly
from dagster_pgflow.runtime.own_names import deps_for_handler, input_for_handler
from dagster_pgflow.runtime.params import params_given
from dagster_pgflow.runtime.passes import Pass
from dagster_pgflow.runtime.secrets import Secrets
from dagster_pgflow.runtime.sources import Source, key_of
from dagster_pgflow.runtime.tasks import Tasks
from dagster_pgflow.runtime.values import Skipped


def reason_of(error: PgflowError) -> str:
    """Return what went wrong, in the words of the step that failed, in whichever run."""
    return error.reason if isinstance(error, ChildRunFailed) else str(error)


class Execution:
    """One execution of one op: where it stands, what it was given, what it reports.

    Attributes:
        place: What it is at: its step, or an item of the list that its step runs over.
        child_runs: The runs that it has started.
        caught_items: The items of its list that failed, each with its error and the subflow that
            fails with it while its flow goes on.
    """

    def __init__(self, work: OpWork, context: dg.OpExecutionContext, inputs: Inputs) -> None:
        self.work = work
        self.context = context
        self.inputs = inputs
        *around, self.node = context.op_handle.path
        tags = context.run.tags
        begun_at = child_run_path(context.run_id, tags)
        self.is_in_child_run = begun_at is not None
        name = ".".join(tags[tag] for tag in (TAG_FLOW, TAG_LOOP) if tag in tags)
        begin = tuple(begun_at.split(".")) if begun_at else ()
        first = outermost(work.flows[name], begin, work.flows)
        self.frame: Frame = frame_at(first, around, work.flows, context.get_mapping_key())
        self.path = self.frame.path_of(work.step)
        self.place = self.path
        self.child_runs: list[str] = []
        self.caught_items: dict[str, dict[str, str]] = {}
        self.effort = effort_of(work.flow.options, work.step.options)
        # With a start delay Dagster's first try is the one that finds out that it is too early.
        self.tasks = Tasks(
            work.step,
            self.path,
            self.effort,
            context.retry_number + (0 if self.effort.start_delay else 1),
        )
        self.choice: Choice | None = None
        self.unanswered: list[str] = []
        self.whole_list: int | None = None

    @property
    def run_id(self) -> str:
        """The run's id in `pgflow.runs`; a re-execution is a run of its own."""
        run = self.context.run
        if run.parent_run_id is not None:
            return run.run_id
        return run.tags.get(TAG_RUN_ID, run.run_id)

    @property
    def flow_slug(self) -> str:
        """The flow that the step belongs to."""
        return whole_of(self.work.flow).slug

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
        flow = self.work.flow
        return Facts(
            self.run_id,
            lambda: self.flow_input,
            self.unanswered.append,
            self.frame.iteration,
            flow.deciding.max_iterations if isinstance(flow, Body) else 0,
        )

    def gathered(self) -> Any:
        """Return the step's input before its conditions are looked at, or `Skipped`."""
        if isinstance(self.work.flow, Body):
            return self._gathered_in_pass(self.work.flow.deciding)
        if not self.work.sources:
            refuse_bad_input(self.frame, self.inputs.get(FLOW_INPUT), self.work.flows)
            return self.flow_input
        return assemble(self.receiver, self.work.sources, self.values)

    def _gathered_in_pass(self, loop: LoopStep) -> Any:
        step = self.work.step
        if not step.depends_on:
            return self.this_pass.given_to(loop, step, self.this_pass.flow_input)
        outside = self.outside
        given = assemble(self.receiver, self.work.sources, self.values, outside)
        is_first = step.slug == loop.back_to
        return self.this_pass.given_to(loop, step, given) if is_first else given

    @cached_property
    def this_pass(self) -> Pass:
        """What the pass receives that the op lies in, where it lies in a loop."""
        return Pass.from_wire(self.inputs[FLOW_INPUT])

    @property
    def outside(self) -> dict[str, Any]:
        """What became of the dependencies that lie outside of the loop around the op."""
        found = self.this_pass.outside if self.receiver.elsewhere else {}
        return {
            dep: found.get(key_of(dep, self.work.step.slug), found[dep])
            for dep in self.receiver.elsewhere
        }

    @property
    def receiver(self) -> Receiver:
        """The step as what receives something."""
        return self.frame.receiver(self.work.step, self._trace)

    def given(self) -> Any:
        """Return the step's input, or `Skipped`."""
        return check(self.frame, self.work.step, self.gathered(), self.facts)

    @cached_property
    def items(self) -> list[Any] | Skipped:
        """What the flow of the subflow step receives for each item of its list."""
        return items_of(self.frame, self.subflow, self.given(), self.asked_flow_input)

    @property
    def subflow(self) -> SubflowStep:
        """The step, where the op helps a subflow."""
        assert isinstance(self.work.step, SubflowStep)  # noqa: S101
        return self.work.step

    @property
    def asked_flow_input(self) -> Any:
        """The flow input, where the op asks for it: the compiler wires it then."""
        return self.flow_input if FLOW_INPUT in self.inputs else None

    def failed_path(self, error: PgflowError) -> tuple[str, ...]:
        """Return the step that an error fails: this one, or a subflow around it.

        What keeps a subflow from running is found out by the first ops inside it.
        """
        elsewhere: str = getattr(error, "step_path", "")
        return tuple(elsewhere.split(".")) if elsewhere else self.place

    def turn_to(self, index: int | None) -> None:
        """Say which item of its list the op is at, when it runs a flow for each."""
        *around, slug = self.path
        self.place = (*around, slug if index is None else f"{slug}[{index}]")

    def routed(self, error: PgflowError) -> Skipped | None:
        """Return what goes on in place of an output, when a flow goes on after its subflow failed.

        Without such a flow around, the error fails the run. So does trouble with the store, which
        says nothing about the subflow.
        """
        if not error.is_routable:
            return None
        failed = self.failed_path(error)
        for path in self._caught():
            is_own_condition = failed == path and isinstance(error, ConditionNotMet)
            if failed[: len(path)] == path and not is_own_condition:
                return Skipped("handler_failed", path, error=reason_of(error))
        return None

    def _caught(self) -> Iterator[tuple[str, ...]]:
        """Yield the subflows around the op whose failure is not that of their flow, inner first."""
        if isinstance(self.work.step, SubflowStep) and self.work.step.on_failure:
            yield self.place
        frame = self.frame
        while frame.around is not None:
            parent, step = frame.around
            if isinstance(step, SubflowStep) and step.on_failure:
                yield frame.path
            frame = parent

    def run_task(self, index: int, value: Any) -> Any:
        """Run one task of the step; return its output, or `None` after an error that is kept."""
        return self.tasks.run(index, value, self._attempt)

    def run_only_task(self, given: Any) -> Any:
        """Run the task of a step that is no map; return its output, or why there is none.

        Args:
            given: What it receives, or `Skipped`.
        """
        if isinstance(given, Skipped):
            return given
        self.prepare()
        output = self.run_task(0, given)
        return self.tasks.settle() or output

    def prepare(self, not_before: float | None = None) -> None:
        """Make sure that there is a handler, and that the first try does not come too early.

        Args:
            not_before: When the step may start, in seconds since the epoch; without it the delay
                begins now.

        Raises:
            UnknownHandler: This code location does not register it.
            TooEarly: It comes too early; Dagster waits better than a process that sleeps.
        """
        if self.work.step.needs_handler:
            self._find_handler()
        if self.tasks.attempt == 0:
            start = not_before or time.time() + self.effort.start_delay
            raise TooEarly(max(start - time.time(), 0.0))

    def tell(
        self, message: str, report: dict[str, Any], more: Mapping[str, Any] | None = None
    ) -> None:
        """Write an event to the run's log that neither begins nor ends the step.

        Args:
            message: A sentence for people.
            report: The same for the projection.
            more: Other metadata for people.
        """
        self.context.instance.report_engine_event(
            message,
            self.context.run,
            EngineEventData(metadata={**(more or {}), OUTCOME_KEY: reported(report)}),
            step_key=self._step_key,
        )

    def remember(self, outputs: Mapping[int, Any]) -> None:
        """Keep the finished elements of a batch: for the next attempt or run, and for SQL."""
        self._memory.remember(self.context.run_id, self._step_key, self.tasks.finished(outputs))

    def recall(self) -> dict[int, Any]:
        """Return the outputs of the elements that need not be done again, by index.

        An earlier attempt completed them, or the run that this one re-executes from its failure.
        """
        if self.tasks.attempt > 1:
            kept = self._memory.recall(self.context.run_id, self._step_key)
            return self.tasks.resume(kept)
        return self.tasks.reuse(self._kept_before())

    def remember_runs(self, done: Mapping[str, Any]) -> None:
        """Keep what is known of the runs that it has started and that are done."""
        self._memory.remember(self.context.run_id, self._step_key, dict(done))

    def recall_runs(self) -> dict[str, Any]:
        """Return what was kept of them: in this run, or in one that it goes on with."""
        return self._memory.recall(self.context.run_id, self._step_key) or self._kept_before()

    def _kept_before(self) -> dict[str, Any]:
        step = self.work.step
        counts = isinstance(step, MapStep) and step.bounds_failures
        return kept_before(self._memory, self.context, self._step_key, counts_failures=counts)

    @cached_property
    def values(self) -> dict[Source, Any]:
        """What arrived from each source, as it travelled."""
        return {source: self.inputs[name] for source, name in self.work.input_names.items()}

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
        step = self.work.step
        named = step.handler if isinstance(step, HandledStep) else None
        raise self.work.handlers.unknown(self.flow_slug, step.slug, named, self.path)

    def choose(self, choice: Choice) -> None:
        """Go on as a branch or a loop decided; say in the run's log what was wrong with that."""
        self.choice = choice
        for warning in choice.warnings:
            self.context.log.warning(warning)

    def deciding(self, given: Any, output: Any) -> Deciding:
        """Return the step as what decides how the run goes on.

        Args:
            given: What it received.
            output: What it returned.
        """
        return Deciding(self.flow_slug, self.path, given, output, self.facts)

    def _attempt(self, index: int, value: Any) -> Any:
        if not self.work.step.needs_handler:
            output = handed_on(self.work.step, value)
            refuse_beyond_limits(output, f'The output of step "{".".join(self.path)}"')
            return output
        secrets = Secrets(self.context.resources)
        return secrets.kept_out_of(lambda: self._attempted(index, value, secrets))

    def _attempted(self, index: int, value: Any, secrets: Secrets) -> Any:
        handler, step = self._find_handler(), self.work.step
        path, is_map = ".".join(self.path), isinstance(step, MapStep)
        params = params_given(step, handler, value, lambda: self.flow_input, secrets)
        context = StepContext(
            flow_input=self.flow_input if handler.wants_context else None,
            run_id=self.run_id,
            flow_slug=self.flow_slug,
            step_slug=step.slug,
            step_path=path,
            task_index=index,
            task_path=f"{path}[{index}]" if is_map else path,
            attempt=self.tasks.attempt,
            idempotency_key=f"{self.run_id}:{path}:{index}",
            iteration=self.frame.iteration,
            params=params,
            log=self.context.log,
            resources=self.context.resources,
            depends_on=() if is_map else deps_for_handler(step),
            timeout=self.effort.timeout,
            secrets=secrets.given,
        )
        return attempt(handler, input_for_handler(step, value), context, self.effort.timeout)

    def _trace(self, path: tuple[str, ...]) -> list[dict[str, Any]]:
        """Tell what the steps of a subflow did."""
        outcomes = outcomes_in(self.context.instance, self.context.run)
        return trace_of(path, outcomes, self.work.flows)

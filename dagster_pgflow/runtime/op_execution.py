"""One execution of an op: where it stands, what it was given, how its tasks go.

Like the other `op_` files it looks at Dagster; the rest of the runtime does not.
"""

import os
import socket
import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import dagster as dg

from dagster_pgflow.compat import EngineEventData
from dagster_pgflow.dagster_log.op_reports import reported
from dagster_pgflow.dagster_log.run_reports import reports_in
from dagster_pgflow.errors import PgflowError
from dagster_pgflow.model.lowered import LoopBody, whole_of
from dagster_pgflow.model.options import retry_policy_of
from dagster_pgflow.model.steps import LoopStep, MapStep, SubflowStep
from dagster_pgflow.names import (
    FLOW_INPUT,
    PGFLOW_KEY,
    TAG_FLOW,
    TAG_LOOP,
    TAG_RUN_ID,
    child_run_path,
    continuation_of,
    own_tag,
)
from dagster_pgflow.reports.decision import Decision
from dagster_pgflow.reports.report import FailedItem, OpReport
from dagster_pgflow.runtime.assembly import Receiver, assemble
from dagster_pgflow.runtime.asset_keys import TaskAssets, assets_of_task
from dagster_pgflow.runtime.catching import Caught, Failing, caught
from dagster_pgflow.runtime.child_trace import trace_of
from dagster_pgflow.runtime.conditions import Facts
from dagster_pgflow.runtime.conductor import Conductor
from dagster_pgflow.runtime.data_map import Received, refuse_unmerged
from dagster_pgflow.runtime.decisions import Deciding
from dagster_pgflow.runtime.failures import reason_of
from dagster_pgflow.runtime.frames import (
    Frame,
    check,
    flow_input,
    frame_at,
    items_of,
    outermost,
    refuse_bad_input,
)
from dagster_pgflow.runtime.hooks import refuse_unknown_hooks
from dagster_pgflow.runtime.input_parts import InputPart, key_of
from dagster_pgflow.runtime.iterations import Iteration
from dagster_pgflow.runtime.memory import TaskMemory
from dagster_pgflow.runtime.op_assets import note_assets, refuse_unkeyed
from dagster_pgflow.runtime.op_calls import call_handler, find_handler
from dagster_pgflow.runtime.op_hooks import held_on_its_route, passed_on
from dagster_pgflow.runtime.op_memory import OpMemory
from dagster_pgflow.runtime.op_work import Inputs, OpWork, TooEarly
from dagster_pgflow.runtime.secrets import Secrets
from dagster_pgflow.runtime.tasks import Tasks
from dagster_pgflow.runtime.values import Skipped
from dagster_pgflow.step_errors import NotMerged, StepError
from dagster_pgflow.step_path import StepPath


class Execution:
    """One execution of one op: where it stands, what it was given, what it reports.

    Attributes:
        place: What it is at: its step, or an item of the list that its step runs over.
        child_runs: The runs that it has started.
        caught_items: The items of its list that failed while the flow around goes on.
        kept_input: What its step received, where a helper hands that on.
    """

    def __init__(self, work: OpWork, context: dg.OpExecutionContext, inputs: Inputs) -> None:
        self.work = work
        self.context = context
        self.inputs = inputs
        *around, self.node = context.op_handle.path
        tags = context.run.tags
        begun_at = child_run_path(context.run_id, tags)
        self.is_in_child_run = begun_at is not None
        name = ".".join(filter(None, (own_tag(tags, tag) for tag in (TAG_FLOW, TAG_LOOP))))
        begin = StepPath(begun_at or "")
        first = outermost(work.flows[name], begin, work.flows)
        self.frame: Frame = frame_at(first, around, work.flows, context.get_mapping_key())
        self.path = self.frame.path_of(work.step)
        self.place = self.path
        self.child_runs: list[str] = []
        self.caught_items: dict[StepPath, FailedItem] = {}
        self._came: Any = None
        self.retry_policy = retry_policy_of(work.flow.options, work.step.options)
        # With a start delay Dagster's first try is the one that finds out that it is too early.
        self.tasks = Tasks(
            work.step,
            self.path,
            self.retry_policy,
            context.retry_number + (0 if self.retry_policy.start_delay else 1),
        )
        self.decision: Decision | None = None
        self.unanswered: list[str] = []
        self.whole_list: int | None = None
        self.kept_input: Any = None

    @property
    def run_id(self) -> str:
        """The run's id in `pgflow.runs`; a re-execution is a run of its own."""
        run = self.context.run
        continued = continuation_of(run.run_id, run.tags)
        if continued is not None:
            return str(continued[0])
        if run.parent_run_id is not None and not self.is_in_child_run:
            return run.run_id
        return run.tags.get(TAG_RUN_ID, run.run_id)

    @property
    def goes_on(self) -> bool:
        """Whether the Dagster run goes on with one that waited: both are one run."""
        run = self.context.run
        if self.is_in_child_run:
            return run.parent_run_id is not None
        return continuation_of(run.run_id, run.tags) is not None

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
            flow.deciding.max_iterations if isinstance(flow, LoopBody) else 0,
            None if self.conductor is None else self.conductor.note_condition,
        )

    def gathered(self) -> Any:
        """Return the step's input before its conditions are looked at, or `Skipped`."""
        if isinstance(self.work.flow, LoopBody):
            return self._gathered_in_iteration(self.work.flow.deciding)
        if not self.work.parts:
            refuse_bad_input(self.frame, self.inputs.get(FLOW_INPUT), self.work.flows)
            return self.flow_input
        return assemble(self.receiver, self.work.parts, self.values)

    def _gathered_in_iteration(self, loop: LoopStep) -> Any:
        step = self.work.step
        if not step.depends_on:
            return self.this_iteration.given_to(
                loop, step, self.this_iteration.flow_input, self.path
            )
        outside = self.outside
        given = assemble(self.receiver, self.work.parts, self.values, outside)
        is_first = step.slug == loop.back_to
        return self.this_iteration.given_to(loop, step, given, self.path) if is_first else given

    @cached_property
    def this_iteration(self) -> Iteration:
        """What the iteration receives that the op lies in, where it lies in a loop."""
        return Iteration.arrived(self.inputs[FLOW_INPUT])

    @property
    def outside(self) -> dict[str, Any]:
        """What became of the dependencies that lie outside of the loop around the op."""
        found = self.this_iteration.outside if self.receiver.elsewhere else {}
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
        self._came = self.gathered()
        return check(self.frame, self.work.step, self._came, self.facts)

    def input_of(self, given: Any) -> Any:
        """Return what the handler of the step gets, of what the step was given."""
        return given if isinstance(given, Skipped) else self.received(given).input

    def received(self, given: Any) -> Received:
        """Return what the step received, as its conditions may ask for it."""
        return self.frame.received(self.work.step, given)

    def mergeable(self, output: Any) -> Any:
        """Return what the step returned, unless its flow is to merge it and cannot."""
        if not isinstance(output, Skipped):
            refuse_unmerged(self.work.flow, self.work.step, output, self.path)
        return output

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

    def failed_path(self, error: PgflowError) -> StepPath:
        """Return the step that an error fails: this one, or a subflow around it.

        What keeps a subflow from running is found out by the first ops inside it.
        """
        elsewhere: str = getattr(error, "step_path", "")
        return StepPath(elsewhere) if elsewhere else self.place

    def turn_to(self, index: int | None) -> None:
        """Say which item of its list the op is at, when it runs a flow for each."""
        self.place = self.path.at(index)

    def caught(self, error: PgflowError) -> Caught | None:
        """Return how the run goes on from a failure, unless that fails the run."""
        failing = Failing(
            self.frame,
            self.work.step,
            self.place,
            self.failed_path(error),
            error,
            reason_of(error),
            self._received_before(error),
        )
        return caught(failing)

    def _received_before(self, error: PgflowError) -> Any:
        """Return what the step received before it failed, if that was put together."""
        if self._came is None or isinstance(error, NotMerged):
            return None
        return self.input_of(self._came)

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
            if self.conductor is None or not self.conductor.does_work_of(self.path):
                find_handler(self, 0)
            refuse_unknown_hooks(self.work.step, self.work.handlers, self.path)
        if self.tasks.attempt == 0:
            now = time.time()
            start = not_before or now + self.retry_policy.start_delay
            raise TooEarly(max(start - now, 0.0))

    def tell(self, message: str, report: OpReport, more: Mapping[str, Any] | None = None) -> None:
        """Write an event to the run's log that neither begins nor ends the step.

        Args:
            message: A sentence for people.
            report: The same for the projection.
            more: Other metadata for people.
        """
        self.context.instance.report_engine_event(
            message,
            self.context.run,
            EngineEventData(metadata={**(more or {}), **reported(report)}),
            step_key=self.step_key,
        )

    @property
    def memory(self) -> OpMemory:
        """What it takes over from attempts and runs before it, and leaves for others."""
        kept: TaskMemory = getattr(self.context.resources, PGFLOW_KEY)
        return OpMemory(kept, self.context, self.step_key, self.work.step, self.tasks)

    @cached_property
    def values(self) -> dict[InputPart, Any]:
        """What arrived from each part, as it travelled."""
        return {part: self.inputs[name] for part, name in self.work.input_names.items()}

    @property
    def step_key(self) -> str:
        """What Dagster calls the op, mapping key included."""
        mapped = self.context.get_mapping_key()
        path = ".".join(self.context.op_handle.path)
        return path if mapped is None else f"{path}[{mapped}]"

    @cached_property
    def conductor(self) -> Conductor | None:
        """Who looks on, where somebody does."""
        resource = getattr(self.context.resources, PGFLOW_KEY)
        return resource if isinstance(resource, Conductor) else None

    def waited(self, seconds: float) -> float:
        """Return how much of a delay Dagster is to wait for."""
        return seconds if self.conductor is None else self.conductor.waited(seconds)

    def task_path(self, index: int) -> StepPath:
        """Return the place of a task: in a map step, the element's."""
        return self.path.at(index if isinstance(self.work.step, MapStep) else None)

    def decide(self, decision: Decision) -> None:
        """Go on as a branch or a loop decided; say in the run's log why, and what was wrong."""
        self.decision = decision
        self.context.log.info('Step "%s" %s.', self.path, decision.why)
        for warning in decision.warnings:
            self.context.log.warning(warning)

    def deciding(self, given: Any, output: Any) -> Deciding:
        """Return the step as what decides how the run goes on.

        Args:
            given: What it received.
            output: What it returned.
        """
        return Deciding(self.flow_slug, self.path, self.received(given), output, self.facts)

    def _attempt(self, index: int, value: Any) -> Any:
        step, secrets = self.work.step, Secrets(self.context.resources)
        try:
            assets = assets_of_task(step, value, lambda: self.flow_input)
            refuse_unkeyed(self, assets)
            if step.needs_handler:
                output = self._handled(index, value, secrets, assets)
            else:
                output = passed_on(self, value)
            if not isinstance(step, MapStep):
                output = self.mergeable(output)
            note_assets(self, index, assets, output, secrets.given)
        except StepError as error:
            if self.conductor is not None:
                self.conductor.note_failure(self.task_path(index), error)
            raise
        return output

    def _handled(self, index: int, value: Any, secrets: Secrets, assets: TaskAssets) -> Any:
        return secrets.kept_out_of(
            lambda: held_on_its_route(
                self, value, call_handler(self, index, value, secrets, assets)
            )
        )

    def _trace(self, path: StepPath) -> list[dict[str, Any]]:
        """Tell what the steps of a subflow did."""
        reports = reports_in(self.context.instance, self.context.run)
        return trace_of(path, reports, self.work.flows)

"""What an op takes over from the runs that its run goes on with, and what it leaves for others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import dagster as dg

from dagster_pgflow.compat import StepOutputHandle
from dagster_pgflow.model.lowered import LoweredStep
from dagster_pgflow.model.steps import MapStep
from dagster_pgflow.runtime.memory import TakesAnnouncements, TaskMemory
from dagster_pgflow.runtime.tasks import Tasks

HELD: Final = "held"
"""Where an op that is held keeps what it needs when it runs again."""


@dataclass(frozen=True)
class OpMemory:
    """What an op takes over, and what it leaves for others.

    Attributes:
        memory: Where it is kept.
        context: Where the op runs.
        step_key: The op's step in Dagster.
        step: The step that it is, or helps.
        tasks: Those of this execution.
    """

    memory: TaskMemory
    context: dg.OpExecutionContext
    step_key: str
    step: LoweredStep
    tasks: Tasks

    def remember(self, outputs: Mapping[int, Any]) -> None:
        """Keep the finished elements of a batch: for the next attempt or run, and for SQL."""
        self.memory.remember(self.context.run_id, self.step_key, self.tasks.finished(outputs))

    def recall(self) -> dict[int, Any]:
        """Return the outputs of the elements that need not be done again, by index.

        An earlier attempt completed them, or the run that this one re-executes from its failure.
        """
        if self.tasks.attempt > 1:
            kept = self.memory.recall(self.context.run_id, self.step_key)
            return self.tasks.resume(kept)
        return self.tasks.reuse(self._kept_before())

    def remember_runs(self, done: Mapping[str, Any]) -> None:
        """Keep what is known of the runs that it has started and that are done."""
        self.memory.remember(self.context.run_id, self.step_key, dict(done))

    def remember_held(self) -> None:
        """Keep that the op was held, where it must not begin as for the first time again."""
        self.remember_runs({HELD: True})

    def was_held(self) -> bool:
        """Return whether the op was held before."""
        return bool(self.recall_runs().get(HELD))

    def recall_runs(self) -> dict[str, Any]:
        """Return what was kept of them: in this run, or in one that it goes on with."""
        first = self.tasks.attempt <= 1
        own = {} if first else self.memory.recall(self.context.run_id, self.step_key)
        return own or self._kept_before()

    def _kept_before(self) -> dict[str, Any]:
        counts = isinstance(self.step, MapStep) and self.step.bounds_failures
        return kept_before(self.memory, self.context, self.step_key, counts_failures=counts)


def kept_before(
    memory: TaskMemory, context: dg.OpExecutionContext, step_key: str, *, counts_failures: bool
) -> dict[str, Any]:
    """Return what the runs kept that this one goes on with from their failures, newest first.

    One that ended before it came to the op, or with its process, kept nothing. What an op kept that
    came to its end is worthless: it is only run again behind something that is. But a map step that
    counts its failures may fail although its ops did not, and then they are run again for that; and
    an op that was held has sent something, and is to run again all the same.

    Args:
        memory: Where it was kept.
        context: Where the op runs.
        step_key: The op's step in Dagster.
        counts_failures: Whether it is one of a map step that counts its failures.
    """
    run: dg.DagsterRun | None = context.run
    while run is not None and run.parent_run_id and run.step_keys_to_execute is not None:
        kept = memory.recall_unfinished(run.parent_run_id, step_key)
        if kept is None:
            ended = memory.recall(run.parent_run_id, step_key)
            kept = ended if ended.get(HELD) else None
        if kept is None and counts_failures and not _is_fed_anew(context, run):
            return memory.recall(run.parent_run_id, step_key)
        if kept is None:
            break
        if kept:
            return kept
        run = context.instance.get_run_by_id(run.parent_run_id)
    return {}


def _is_fed_anew(context: dg.OpExecutionContext, run: dg.DagsterRun) -> bool:
    """Return whether a run executes what sends the op its input."""
    executed = frozenset(run.step_keys_to_execute or ())
    inputs = context.get_step_execution_context().step.step_inputs
    senders = {
        output.step_key
        for step_input in inputs
        for output in step_input.get_step_output_handle_dependencies()
    }
    return not executed.isdisjoint(senders)


def announce(
    context: dg.OpExecutionContext, step_key: str, outputs: Sequence[dg.DynamicOutput[Any]]
) -> None:
    """Tell the IO manager of an op what it sends next, if it wants to know.

    Args:
        context: Where the op runs.
        step_key: The op's step in Dagster.
        outputs: What it sends.
    """
    if len(outputs) < 2:
        return
    handle = StepOutputHandle(step_key, outputs[0].output_name)
    manager = context.get_step_execution_context().get_io_manager(handle)
    if isinstance(manager, TakesAnnouncements):
        manager.announce(context.run_id, step_key, outputs)

"""Subflow steps of mode `run`: their flow is a Dagster run of its own, inside the op of the step.

The op does what otherwise the ops do that Dagster has before, in and behind a nested graph: it
puts the input together, has the flow run, and puts together what that returned.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from dagster_pgflow.model.defaults import input_of_run
from dagster_pgflow.names import BATCH_INPUT
from dagster_pgflow.reports.inlined import inlined, json_size
from dagster_pgflow.reports.report import FailedItem
from dagster_pgflow.runtime.assembly import output_of_subflow
from dagster_pgflow.runtime.frames import mapped_input, shaped_output
from dagster_pgflow.runtime.holding import Held, arrived
from dagster_pgflow.runtime.input_parts import InputPart, final_ops
from dagster_pgflow.runtime.kept_outputs import Kept
from dagster_pgflow.runtime.op_execution import Execution
from dagster_pgflow.runtime.op_memory import HELD
from dagster_pgflow.runtime.op_runs_inside import RunHeld, digest, run_inside, tell_again
from dagster_pgflow.runtime.values import Skipped, from_wire
from dagster_pgflow.step_errors import ChildRunFailed

FAILED: Final = "failed"
"""Where the failure of an item is kept from which the run goes on."""


def run_child(execution: Execution) -> Any:
    """Run the flow of a subflow step."""
    step, given = execution.subflow, execution.given()
    if isinstance(given, Skipped):
        return given
    received = mapped_input(execution.frame, step, given, execution.asked_flow_input)
    returned = _run_alone(execution, received)
    child, kept = execution.work.flows[step.flow], execution.input_of(given)
    shaped = shaped_output(execution.frame, step, child, returned, given=kept)
    return execution.mergeable(shaped)


def run_child_of_item(execution: Execution) -> Any:
    """Run the flow of a subflow step for one item of its list."""
    batch = arrived(execution.inputs[BATCH_INPUT])
    if isinstance(batch, Skipped):
        return batch
    return _run_alone(execution, batch.values[0], batch.start)


def run_children(execution: Execution) -> Any:
    """Run the flow of a subflow step for each item of its list, where one op does it all.

    Dagster 1.13 has no dynamic outputs inside a graph that is mapped itself. One item that fails
    does not keep the others from running, and neither does one in which a step waits; what is done
    is done for a re-execution too.
    """
    batch = arrived(execution.inputs[BATCH_INPUT])
    if isinstance(batch, Skipped):
        return batch
    done = execution.memory.recall_runs()
    items = _Items(execution, before=done.pop(HELD, {}), done=done)
    for index, received in enumerate(batch.values):
        items.run(index, received)
    return items.settled()


@dataclass
class _Items:
    """The items of a list of which one op does all.

    Attributes:
        execution: The execution.
        done: What is kept of those that are done, by index.
        before: What was kept, when the op was held, of those that were not.
        held: The same of this execution: runs in which a step waits, and failures that are caught.
        outputs: What the items returned, or why they have not so far.
        failures: What fails the step.
        waiting: Why the op is held, if it is.
        is_over: Whether an item has failed a flow around the step, so that nothing is waited for.
    """

    execution: Execution
    done: dict[str, Any]
    before: Mapping[str, Any]
    held: dict[str, Any] = field(default_factory=dict)
    outputs: list[Any] = field(default_factory=list)
    failures: list[ChildRunFailed] = field(default_factory=list)
    waiting: Held | None = None
    is_over: bool = False

    def run(self, index: int, received: Any) -> None:
        """Run the flow for one item, unless that was done before."""
        execution, key = self.execution, str(index)
        known = self.done.get(key) or self.before.get(key, {})
        if known.get("received") == digest(received) and self._is_taken_over(index, known):
            return
        try:
            output = _run(execution, received, index, self.before.get(key))
        except RunHeld as held:
            self.held[key] = vars(held.run)
            self.outputs.append(held.waiting.to_wire())
            self.waiting = self.waiting or held
        except ChildRunFailed as error:
            self._note_failure(key, received, error)
        else:
            self.outputs.append(output)
            self.done[key] = self._known(received) | {"output": output}
            self._remember({**self.before, **self.held})

    def settled(self) -> list[Any]:
        """Return what the items returned.

        All of them come to their ends, unless one has failed a flow around the step.

        Raises:
            ChildRunFailed: One failed.
            RunHeld: A step waits in the run of one.
        """
        if self.failures:
            # Those that failed get another chance, should the run be taken up again.
            self._remember({key: one for key, one in self.held.items() if FAILED not in one})
            raise self.failures[0]
        if self.waiting is not None and not self.is_over:
            self._remember(self.held)
            raise self.waiting
        return self.outputs

    def _is_taken_over(self, index: int, known: Mapping[str, Any]) -> bool:
        """Return whether nothing is left to do for an item, and take over what it came to."""
        # What failed gets another chance where the whole run does.
        is_failed = FAILED in known and self.execution.goes_on
        if "output" not in known and not is_failed:
            return False
        self.execution.turn_to(index)
        tell_again(self.execution, known["child_run"])
        if "output" in known:
            self.outputs.append(known["output"])
        else:
            self.held[str(index)] = dict(known)
            marker = from_wire(known[FAILED])
            self._take_failure(marker.error, marker)
        return True

    def _note_failure(self, key: str, received: Any, error: ChildRunFailed) -> None:
        caught = self.execution.caught(error)
        if caught is None:
            self.failures.append(error)
            return
        self.held[key] = self._known(received) | {FAILED: caught.marker.to_wire()}
        self._take_failure(error.reason, caught.marker)

    def _take_failure(self, reason: str, marker: Skipped) -> None:
        execution = self.execution
        execution.caught_items[execution.place] = FailedItem(reason, marker.step)
        self.is_over = self.is_over or marker.step != execution.place
        self.outputs.append(marker.to_wire())

    def _known(self, received: Any) -> dict[str, Any]:
        return {"child_run": self.execution.child_runs[-1], "received": digest(received)}

    def _remember(self, held: Mapping[str, Any]) -> None:
        self.execution.memory.remember_runs({**self.done, HELD: held})


def _run_alone(execution: Execution, received: Any, index: int | None = None) -> Any:
    """Run the flow of a subflow step where the op runs it once."""
    held = execution.memory.recall_runs().get(HELD, {})
    try:
        return _run(execution, received, index, held.get(str(index)))
    except RunHeld as waiting:
        execution.memory.remember_runs({HELD: {str(index): vars(waiting.run)}})
        raise


def _run(
    execution: Execution,
    received: Any,
    index: int | None = None,
    before: Mapping[str, Any] | None = None,
) -> Any:
    """Run the flow of a subflow step; return `{final step: output}`, or `None` without any.

    Raises:
        ChildRunFailed: It failed, or was cancelled alone.
        RunHeld: A step in it waits.
    """
    work, slug = execution.work, execution.subflow.flow
    received = input_of_run(work.flows[slug].input_schema, received)
    execution.turn_to(index)
    finals = tuple(final_ops(work.flows[slug], work.flows))
    kept = Kept({final.node for final in finals})
    shown = inlined(received, json_size(received))
    run_inside(execution, slug, received, kept, shown=shown, before=before)
    parts = {InputPart(execution.subflow.slug, final.path): final.node for final in finals}
    values = {part: kept.of(node)[0] for part, node in parts.items()}
    return output_of_subflow(execution.place, tuple(parts), values)

"""Which steps are left to do of a run that goes on. Pure.

Dagster's own "re-execute from failure" takes what has failed, and of what runs for each element of
a list only that which had begun: the others would be lost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from dagster_pgflow.compat import (
    ExecutionPlanSnapshot,
    ExecutionStepInputSnap,
    ExecutionStepSnap,
    FromMultipleSources,
    StepOutputHandle,
    UnresolvedStepHandle,
)
from dagster_pgflow.resumption.past import Past

State = Literal["done", "left", "skipped", "resolved"]
"""How a step stands: `skipped` where the run took another way, `resolved` where it stands for
steps whose number is known, which stand beside it."""


def remaining_steps(plan: ExecutionPlanSnapshot, past: Past) -> list[str]:
    """Return the keys of the steps that are left to do, each behind those that feed it.

    In another order Dagster 1.13 may let steps wait for ever for those that a failure keeps from
    running.

    Args:
        plan: All steps of the job, with what is known to be fanned out (`past.state`).
        past: What has been done.
    """
    states = _Steps({step.key: step for step in plan.steps}, past).in_order()
    return [key for key, state in states.items() if state == "left"]


@dataclass
class _Steps:
    by_key: dict[str, ExecutionStepSnap]
    past: Past
    _known: dict[str, State] = field(default_factory=dict)
    _sent: frozenset[StepOutputHandle] = frozenset()

    def __post_init__(self) -> None:
        self._sent = self.past.sent

    def in_order(self) -> Mapping[str, State]:
        """Say how each step stands, behind those that feed it, whose number is not limited."""
        waiting = [*reversed(self.by_key)]
        while waiting:
            step = self.by_key[waiting[-1]]
            unknown = [before for before in _before(step) if before not in self._known]
            if unknown:
                waiting += unknown
            elif waiting.pop() not in self._known:
                self._known[step.key] = self._state(step)
        return self._known

    def _state(self, step: ExecutionStepSnap) -> State:
        if any(self._is_cut_off(step_input) for step_input in step.inputs):
            return "skipped"
        if self._has_resolved(step):
            return "resolved"
        states = {self._known[before] for before in _before(step)}
        return "done" if step.key in self.past.done and "left" not in states else "left"

    def _has_resolved(self, step: ExecutionStepSnap) -> bool:
        """Say whether a step that runs for each of what another one fans out is known as these."""
        if not isinstance(step.step_handle, UnresolvedStepHandle):
            return False
        sources = [step_input.source for step_input in step.inputs]
        senders = {_fans_out(source) for source in sources} - {None}
        return all(self._known[sender] == "done" for sender in senders if sender)

    def _is_cut_off(self, step_input: ExecutionStepInputSnap) -> bool:
        """Say whether an input can have no value: what feeds it took another way."""
        wanted: Sequence[StepOutputHandle] = step_input.upstream_output_handles
        lost = [output for output in wanted if self._is_lost(output, step_input.source)]
        is_list = isinstance(step_input.source, FromMultipleSources)
        return len(lost) == len(wanted) > 0 if is_list else bool(lost)

    def _is_lost(self, output: StepOutputHandle, source: Any) -> bool:
        state = self._known[output.step_key]
        if state == "skipped":
            return True
        # What is fanned out, or collected, has no handle of its own before it is resolved.
        return state == "done" and _fans_out(source) is None and output not in self._sent


def _fans_out(source: Any) -> str | None:
    """Return the step that fans out what an input receives one by one, or collects."""
    sender: str | None = getattr(source, "resolved_by_step_key", None)
    return sender


def _before(step: ExecutionStepSnap) -> list[str]:
    return [
        output.step_key
        for step_input in step.inputs
        for output in step_input.upstream_output_handles
    ]

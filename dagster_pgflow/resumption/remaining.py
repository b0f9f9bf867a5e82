"""Which steps are left to do of a run that goes on. Free of Dagster.

Dagster's own "re-execute from failure" takes what has failed, and of what runs for each element of
a list only that which had begun: the others would be lost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from dagster_pgflow.resumption.completed import CompletedSteps
from dagster_pgflow.resumption.planned import PlannedInput, PlannedStep, SentBy

State = Literal["done", "left", "skipped", "resolved"]
"""How a step stands: `skipped` where the run took another route, `resolved` where it stands for
steps whose number is known, which stand beside it."""


def remaining_steps(plan: Sequence[PlannedStep], completed: CompletedSteps) -> list[str]:
    """Return the keys of the steps that are left to do, each behind those that feed it.

    In another order Dagster 1.13 may let steps wait for ever for those that a failure keeps from
    running.

    Args:
        plan: All steps of the job, with what is known to be fanned out.
        completed: What has been done.
    """
    states = _Steps({step.key: step for step in plan}, completed).in_order()
    return [key for key, state in states.items() if state == "left"]


@dataclass
class _Steps:
    by_key: dict[str, PlannedStep]
    completed: CompletedSteps
    _known: dict[str, State] = field(default_factory=dict)
    _sent: frozenset[SentBy] = frozenset()

    def __post_init__(self) -> None:
        self._sent = frozenset(
            (key, output, mapping_key)
            for key, sent in self.completed.done.items()
            for output, mapping_key in sent
        )

    def in_order(self) -> Mapping[str, State]:
        """Say how each step stands, behind those that feed it, whose number is not limited."""
        waiting = [*reversed(self.by_key)]
        while waiting:
            step = self.by_key[waiting[-1]]
            unknown = [before for before in step.before if before not in self._known]
            if unknown:
                waiting += unknown
            elif waiting.pop() not in self._known:
                self._known[step.key] = self._state(step)
        return self._known

    def _state(self, step: PlannedStep) -> State:
        if any(self._is_cut_off(step_input) for step_input in step.inputs):
            return "skipped"
        if self._has_resolved(step):
            return "resolved"
        if step.key not in self.completed.done:
            return "left"
        left = [before for before in step.before if self._known[before] == "left"]
        went_ahead = all(self.completed.went_ahead(step.key, before) for before in left)
        return "done" if went_ahead else "left"

    def _has_resolved(self, step: PlannedStep) -> bool:
        """Return whether the keys of a step behind a fan-out are known already."""
        if not step.is_unresolved:
            return False
        senders = {step_input.fanned_out_by for step_input in step.inputs} - {None}
        return all(self._known[sender] == "done" for sender in senders if sender)

    def _is_cut_off(self, step_input: PlannedInput) -> bool:
        """Return whether an input can have no value: what feeds it took another route."""
        wanted = step_input.outputs
        lost = [output for output in wanted if self._is_lost(output, step_input)]
        return len(lost) == len(wanted) > 0 if step_input.is_list else bool(lost)

    def _is_lost(self, output: SentBy, step_input: PlannedInput) -> bool:
        state = self._known[output[0]]
        if state == "skipped":
            return True
        # What is fanned out, or collected, has no handle of its own before it is resolved.
        return state == "done" and step_input.fanned_out_by is None and output not in self._sent

"""What travels from one iteration of a loop to the next, and out of the last one.

The steps of a body receive everything from outside through one value, so that an iteration which
the loop does not come to is skipped by Dagster as a whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dagster_pgflow.model.steps import LoopStep
from dagster_pgflow.model.steps.data_map import merges_input
from dagster_pgflow.model.steps.fields import StepBase
from dagster_pgflow.names import ITERATION_END_KEY, ITERATION_KEY
from dagster_pgflow.reports.decision import Decision
from dagster_pgflow.reports.reading import decision_from_json
from dagster_pgflow.reports.writing import decision_to_json
from dagster_pgflow.runtime.data_map import again_laid_over
from dagster_pgflow.runtime.holding import here
from dagster_pgflow.runtime.values import Skipped, Waiting, from_wire, to_wire
from dagster_pgflow.step_path import StepPath


@dataclass(frozen=True)
class Iteration:
    """What one iteration of a loop receives.

    Attributes:
        flow_input: The input of the flow, `Skipped`, or `Waiting`.
        outside: The outputs of the steps outside that some step of the body depends on, or what
            became of them, by the keys of the parts.
        before: What loops returned in the iteration before, by their slugs: those that begin again
            with the first step of this one.
    """

    flow_input: Any
    outside: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] = field(default_factory=dict)

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON object that travels."""
        given = self.flow_input
        content: dict[str, Any] = {
            # Flow input is data, even where it looks like one of our markers.
            "skipped" if isinstance(given, Skipped | Waiting) else "flow_input": (
                given.to_wire() if isinstance(given, Skipped | Waiting) else given
            ),
            "outside": {slug: to_wire(output) for slug, output in self.outside.items()},
            "before": dict(self.before),
        }
        return {ITERATION_KEY: content}

    @classmethod
    def from_wire(cls, arrived: Mapping[str, Any]) -> "Iteration":
        """Return what a JSON object stands for."""
        content = arrived[ITERATION_KEY]
        outside = {slug: from_wire(output) for slug, output in content["outside"].items()}
        skipped = from_wire(content["skipped"]) if "skipped" in content else None
        return cls(skipped or content.get("flow_input"), outside, content["before"])

    @classmethod
    def arrived(cls, arrived: Mapping[str, Any]) -> "Iteration":
        """Return what a JSON object stands for, which is needed.

        Raises:
            Held: A step before the loop waits.
        """
        iteration = cls.from_wire(arrived)
        here(iteration.flow_input)
        return iteration

    def following(self, loop: LoopStep, output: Any) -> "Iteration":
        """Return what the next iteration receives.

        Args:
            loop: The loop.
            output: What it returned in this one.
        """
        return replace(self, before={**self.before, loop.slug: output})

    def given_to(self, loop: LoopStep, step: StepBase, given: Any, path: StepPath) -> Any:
        """Return what a step of the body receives, with what loops returned before.

        Args:
            loop: The loop.
            step: The step.
            given: What it receives in the first iteration, or `Skipped`.
            path: The place of the step in the run.

        Raises:
            NotMerged: It merges its input and depends on nothing, and what is to be merged is no
                object.
        """
        if step.slug != loop.back_to or not self.before or isinstance(given, Skipped):
            return given
        if step.depends_on:
            return {**given, **self.before}
        return (
            again_laid_over(given, self.before, path) if merges_input(step) else dict(self.before)
        )


@dataclass(frozen=True)
class IterationEnd:
    """What the last iteration of a loop sends out.

    Attributes:
        output: What the loop returned, `Skipped`, or `Waiting`.
        decision: What it decided, if it has an output.
    """

    output: Any
    decision: Decision | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON object that travels."""
        decided = decision_to_json(self.decision) if self.decision else None
        return {ITERATION_END_KEY: {"output": to_wire(self.output), "choice": decided}}

    @classmethod
    def from_wire(cls, arrived: Mapping[str, Any]) -> "IterationEnd":
        """Return what a JSON object stands for."""
        content = arrived[ITERATION_END_KEY]
        told = content["choice"]
        return cls(from_wire(content["output"]), decision_from_json(told) if told else None)

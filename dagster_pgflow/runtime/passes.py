"""What travels from one pass of a loop to the next, and out of the last one.

The steps of a body receive everything from outside through one value, so that a pass which the
loop does not come to is skipped by Dagster as a whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dagster_pgflow.model.step import LoopStep, StepBase
from dagster_pgflow.names import PASS_END_KEY, PASS_KEY
from dagster_pgflow.runtime.decisions import Choice
from dagster_pgflow.runtime.values import Skipped, from_wire, to_wire


@dataclass(frozen=True)
class Pass:
    """What one pass of a loop receives.

    Attributes:
        flow_input: The input of the flow, or `Skipped`.
        outside: The outputs of the steps outside that some step of the body depends on, or what
            became of them, by the key of their sources.
        before: What loops returned in the pass before, by their slugs: those that begin again with
            the first step of this one.
    """

    flow_input: Any
    outside: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] = field(default_factory=dict)

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON object that travels."""
        given = self.flow_input
        content: dict[str, Any] = {
            # Flow input is data, even where it looks like one of our markers.
            "skipped" if isinstance(given, Skipped) else "flow_input": (
                given.to_wire() if isinstance(given, Skipped) else given
            ),
            "outside": {slug: to_wire(output) for slug, output in self.outside.items()},
            "before": dict(self.before),
        }
        return {PASS_KEY: content}

    @classmethod
    def from_wire(cls, arrived: Mapping[str, Any]) -> "Pass":
        """Return what a JSON object stands for."""
        content = arrived[PASS_KEY]
        outside = {slug: from_wire(output) for slug, output in content["outside"].items()}
        skipped = from_wire(content["skipped"]) if "skipped" in content else None
        return cls(skipped or content.get("flow_input"), outside, content["before"])

    def following(self, loop: LoopStep, output: Any) -> "Pass":
        """Return what the next pass receives.

        Args:
            loop: The loop.
            output: What it returned in this one.
        """
        return replace(self, before={**self.before, loop.slug: output})

    def given_to(self, loop: LoopStep, step: StepBase, given: Any) -> Any:
        """Return what a step of the body receives, with what loops returned before.

        Args:
            loop: The loop.
            step: The step.
            given: What it receives in the first pass, or `Skipped`.
        """
        if step.slug != loop.back_to or not self.before or isinstance(given, Skipped):
            return given
        return {**given, **self.before} if step.depends_on else dict(self.before)


@dataclass(frozen=True)
class PassEnd:
    """What the last pass of a loop sends out.

    Attributes:
        output: What the loop returned, or `Skipped`.
        choice: What it decided, if it has an output.
    """

    output: Any
    choice: Choice | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON object that travels."""
        choice = self.choice.to_json() if self.choice else None
        return {PASS_END_KEY: {"output": to_wire(self.output), "choice": choice}}

    @classmethod
    def from_wire(cls, arrived: Mapping[str, Any]) -> "PassEnd":
        """Return what a JSON object stands for."""
        content = arrived[PASS_END_KEY]
        told = content["choice"]
        return cls(from_wire(content["output"]), Choice.from_json(told) if told else None)

"""One data map: steps that receive one object, and hand on all of it with what they add.

Without these fields a step receives `{dep: output}` and hands on what its handler returns. With
them the keys of an object live on from step to step.
"""

from collections.abc import Iterator
from typing import TypedDict

from dagster_pgflow.model.exact import Flag
from dagster_pgflow.model.steps.fields import StepBase


class MergingFields(TypedDict, total=False):
    """What a step may say that can receive one object in place of `{dep: output}`."""

    merge_input: bool


class DataMapFields(MergingFields, total=False):
    """What a step may say besides that can hand on what it received."""

    keep_input: bool


class MergingStep(StepBase):
    """A step that can receive one object in place of `{dep: output}`.

    Attributes:
        merge_input: Whether its input is the objects that its completed dependencies returned, laid
            over each other in the order of `depends_on`.
    """

    merge_input: Flag = False

    def shown_data(self) -> Iterator[str]:
        """Yield what becomes of its input, as `dagster-pgflow show` has it."""
        if self.merge_input:
            yield "merges its input"

    def described_data(self) -> Iterator[str]:
        """Yield the same in sentences, for Dagster's page of the op."""
        if self.merge_input:
            yield "Receives the objects of its dependencies, laid over each other."


class KeepingStep(MergingStep):
    """A step that can hand on what it received, with what it adds.

    Attributes:
        keep_input: Whether its output is what it returned, laid over what it received.
    """

    keep_input: Flag = False

    def shown_data(self) -> Iterator[str]:
        """Yield what becomes of its input."""
        yield from super().shown_data()
        if self.keep_input:
            yield "keeps its input"

    def described_data(self) -> Iterator[str]:
        """Yield the same in sentences."""
        yield from super().described_data()
        if self.keep_input:
            yield "What it returns is laid over what it received."


def merges_input(step: StepBase) -> bool:
    """Return whether a step receives one object in place of `{dep: output}`."""
    return isinstance(step, MergingStep) and step.merge_input


def keeps_input(step: StepBase) -> bool:
    """Return whether a step hands on what it received, with what it adds."""
    return isinstance(step, KeepingStep) and step.keep_input

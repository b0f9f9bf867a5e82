"""The plan of a job, as data: its steps, and what feeds each. Free of Dagster."""

from collections.abc import Sequence
from dataclasses import dataclass

SentBy = tuple[str, str, str | None]
"""The key of a step, the name of an output, and its mapping key, if it has one."""


@dataclass(frozen=True)
class PlannedInput:
    """An input of a step.

    Attributes:
        outputs: What it is made of.
        is_list: Whether it takes what there is of these, rather than all.
        fanned_out_by: The step that fans out what it receives one by one, or collects.
    """

    outputs: tuple[SentBy, ...]
    is_list: bool
    fanned_out_by: str | None


@dataclass(frozen=True)
class PlannedStep:
    """A step of a job.

    Attributes:
        key: Its key.
        inputs: What feeds it.
        is_unresolved: Whether it stands for steps whose number is not known before another one
            has fanned out its list.
        dynamic_outputs: The names of the outputs that it fans out.
    """

    key: str
    inputs: tuple[PlannedInput, ...]
    is_unresolved: bool
    dynamic_outputs: tuple[str, ...]

    @property
    def before(self) -> Sequence[str]:
        """The keys of the steps that feed it."""
        return [key for one in self.inputs for key, _, _ in one.outputs]

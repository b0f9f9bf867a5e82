"""The wait: a signal of some name arrives."""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.described import Examples
from dagster_pgflow.model.steps.waiting import WaitingFields, WaitingStep, problems_of_name


class SignalFields(WaitingFields, total=False):
    """What a step may say besides that waits for a signal."""

    signal: str


class WaitStep(WaitingStep):
    """A step that waits until a signal has arrived; the answer is what the signal carries.

    Attributes:
        signal: The name of the signal.
    """

    builder: ClassVar[str] = "wait"

    examples: ClassVar[Examples] = {"signal": "payment_arrived"}

    type: Literal["wait"] = "wait"
    signal: str

    def problems(self) -> Iterator[Problem]:
        """Yield that the signal has no name that could be one."""
        yield from super().problems()
        yield from problems_of_name(self.slug, "invalid-signal", "signal", self.signal)

    def shown_work(self, _flow_slug: str, _versions: Mapping[str, int]) -> str:
        """Return what it waits for."""
        waits_for = f"waits for signal {self.signal}"
        return ", ".join([waits_for, *self.shown_waiting(), *self.shown_data()])

    def described_data(self) -> Iterator[str]:
        """Yield the same in sentences."""
        yield f'Waits for the signal "{self.signal}".'
        yield from super().described_data()

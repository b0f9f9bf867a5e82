"""Who runs a flow in its own process and looks on: a script, a notebook, a test.

A code location has none: there, handlers are what is registered, and delays are waited for.
"""

from abc import ABC, abstractmethod

from dagster_pgflow.runtime.asked_condition import AskedCondition
from dagster_pgflow.runtime.handlers import Handler
from dagster_pgflow.step_errors import StepError
from dagster_pgflow.step_path import StepPath


class Conductor(ABC):
    """Hears what steps raise, may do their work, and says which delays are waited for."""

    @property
    @abstractmethod
    def is_cancelled(self) -> bool:
        """Whether no further step is to begin."""

    @abstractmethod
    def does_work_of(self, path: StepPath) -> bool:
        """Return whether it does the work of a step, or of some of its tasks."""

    @abstractmethod
    def handler_of(
        self, task: StepPath, attempt: int, name: str, found: Handler | None
    ) -> Handler | None:
        """Return what is called for an attempt of a task.

        Args:
            task: The step's place; in a map step, the element's.
            attempt: Which try this is, from 1.
            name: What the handler is called, or would be.
            found: The handler that is registered, if one is.
        """

    @abstractmethod
    def note_failure(self, task: StepPath, error: StepError) -> None:
        """Take note of a failed attempt; its cause is what the handler raised.

        Args:
            task: The step's place; in a map step, the element's.
            error: The failure.
        """

    @abstractmethod
    def note_condition(self, asked: AskedCondition) -> None:
        """Take note of a condition that was asked, and of what it said."""

    @abstractmethod
    def waited(self, seconds: float) -> float:
        """Return how much of a delay is really waited for."""

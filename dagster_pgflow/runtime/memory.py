"""What a step remembers from one attempt to the next."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final

KEEP_EVERY_S: Final = 5.0
"""How much work of an op may be lost with its process."""


class TaskMemory(ABC):
    """Keeps the finished elements of a batch while its other elements are tried again."""

    @abstractmethod
    def remember(self, run_id: str, step_key: str, finished: dict[str, Any]) -> None:
        """Keep JSON about the finished elements of one op, replacing what was kept.

        Args:
            run_id: The Dagster run.
            step_key: The Dagster step key, mapping key included.
            finished: JSON by element index.
        """

    @abstractmethod
    def recall(self, run_id: str, step_key: str) -> dict[str, Any]:
        """Return what was kept, or an empty dict."""

    @abstractmethod
    def recall_unfinished(self, run_id: str, step_key: str) -> dict[str, Any] | None:
        """Return what was kept of an op, or an empty dict; `None` when it came to its end."""


class TakesAnnouncements(ABC):
    """An IO manager that wants to know in advance what an op sends."""

    @abstractmethod
    def announce(self, run_id: str, step_key: str, outputs: Sequence[Any]) -> None:
        """Take note of dynamic outputs that come next, in this order, and nothing between them.

        Args:
            run_id: The Dagster run.
            step_key: The Dagster step key, mapping key included.
            outputs: Dagster's own outputs.
        """

"""Where a run finds its input that was too large for run config."""

from abc import ABC, abstractmethod
from typing import Any


class RequestedInputs(ABC):
    """Hands on the inputs of requests; the resource `pgflow` is it, so no store is known here."""

    @abstractmethod
    def requested_input(self, run_id: str) -> Any:
        """Return the input that a run was requested with.

        Args:
            run_id: The request.

        Raises:
            StoreError: There is no such request any more, or the store cannot be reached.
            ValueNotJson: The input cannot be read.
        """

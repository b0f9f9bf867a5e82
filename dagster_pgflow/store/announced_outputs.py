"""Outputs of one op that are known before Dagster hands them over, one by one.

With the first of them those that come right behind it can be stored, in one statement. None is ever
stored later than it would be otherwise.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Final

from dagster_pgflow.store.outputs import OutputKey

_NONE: Final = object()


class AnnouncedOutputs:
    """The outputs that are to come, in their order, and those that were stored before they came.

    What comes is compared with what was announced: where it is another value, or out of order, the
    rest of the announcement counts for nothing.
    """

    def __init__(self) -> None:
        self._coming: deque[tuple[OutputKey, Any]] = deque()
        self._stored: dict[OutputKey, Any] = {}

    def announce(self, outputs: Iterable[tuple[OutputKey, Any]]) -> None:
        """Say what comes next; what was announced before does not come any more."""
        self.forget()
        self._coming.extend(outputs)

    def forget(self) -> None:
        """Take back what was announced, whether it is stored or not."""
        self._coming.clear()
        self._stored.clear()

    def was_stored(self, key: OutputKey, value: Any) -> bool:
        """Return whether an output that comes now was stored with one before it."""
        return self._stored.pop(key, _NONE) is value

    def from_here(self, key: OutputKey, value: Any) -> Iterator[tuple[OutputKey, Any]]:
        """Yield an output that comes now, and those behind it.

        Each that is taken from here must be stored, or all forgotten.
        """
        if self._coming and self._coming[0][0] == key and self._coming[0][1] is value:
            self._coming.popleft()
        else:
            self.forget()
        yield key, value
        while self._coming:
            behind, its_value = self._coming.popleft()
            self._stored[behind] = its_value
            yield behind, its_value

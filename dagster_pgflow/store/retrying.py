"""Trying again what a database that is away, busy or contended did not do.

It is the one place that decides whether and how long. What kind of trouble an error means, the
error says itself (`StoreError.trouble`), and `failures` knows it.
"""

import logging
import random
import time
from dataclasses import dataclass
from typing import Final

from dagster_pgflow.errors import StoreError

SHORT_S: Final = 10.0
"""For what ends by itself, a conflict or a server without a free place, everybody waits so long."""

_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 2.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RetryBudget:
    """How long to try again.

    Attributes:
        away_s: Seconds for which a server that does not answer is waited for.
    """

    away_s: float = 0.0

    def seconds(self, error: StoreError) -> float:
        """Return for how long what ended with this error is tried again; 0 means not at all."""
        match error.trouble:
            case "away":
                return self.away_s
            case "busy" | "conflict":
                return max(self.away_s, SHORT_S)
            case None:
                return 0.0


class Retries:
    """The retries of one piece of work, from the first on.

    Args:
        budget: How long they may go on.
        is_repeatable: Whether the work may be done again when it is not known whether it was done.
    """

    def __init__(self, budget: RetryBudget, *, is_repeatable: bool) -> None:
        self._budget = budget
        self._is_repeatable = is_repeatable
        self._begun_at = time.monotonic()
        self._pause = _FIRST_PAUSE_S
        self._is_told = False

    def wait_or_raise(self, error: StoreError) -> None:
        """Wait until the next try is due.

        Raises:
            StoreError: The error itself: it does not end by waiting, or has lasted too long.
        """
        seconds = self._budget.seconds(error)
        left = self._begun_at + seconds - time.monotonic()
        if left <= 0 or (error.is_in_doubt and not self._is_repeatable):
            raise error
        if error.trouble != "conflict" and not self._is_told:
            _log.warning("%s Trying again for up to %.0f s.", error, seconds)
            self._is_told = True
        # Not all at once: whoever waits for one server, waits for it with others.
        time.sleep(min(self._pause * random.uniform(0.5, 1.0), left))  # noqa: S311
        self._pause = min(self._pause * 2, _LONGEST_PAUSE_S)

"""The time of a run: that of the world, or one that a test sets and that passes at once."""

import time
from dataclasses import dataclass


class Clock:
    """The time of the world: what is to be waited for, is waited for."""

    passes_at_once = False

    def now(self) -> float:
        """Return the time, in seconds since the epoch."""
        return time.time()

    def waited(self, seconds: float) -> float:
        """Return how much of a delay is really waited for."""
        return seconds


@dataclass
class TestClock(Clock):
    """A time that stands still, and passes at once where something is to be waited for.

    Attributes:
        at: The time, in seconds since the epoch.
    """

    __test__ = False  # pytest takes it for a test otherwise
    passes_at_once = True
    at: float

    def now(self) -> float:
        """Return the time, in seconds since the epoch."""
        return self.at

    def waited(self, seconds: float) -> float:
        """Let a delay pass; nothing of it is really waited for."""
        self.at += max(seconds, 0.0)
        return 0.0

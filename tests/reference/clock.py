"""A clock on which waiting takes no time."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dagster._core.execution.plan import active

from dagster_pgflow.runtime import attempt
from tests.reference.working import TookTooLong


class Clock:
    """Stands where Dagster's executors expect the module `time`, and never sleeps.

    Attributes:
        slept: For how many seconds they asked it to.
    """

    def __init__(self) -> None:
        self.slept = 0.0

    def time(self) -> float:
        """Return what time it is: later by all that was slept through."""
        return time.time() + self.slept

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept += seconds


@contextmanager
def without_waiting() -> Iterator[Clock]:
    """Let executors of this process believe that they wait between the attempts of a step."""
    real = vars(active)["time"]
    vars(active)["time"] = clock = Clock()
    try:
        yield clock
    finally:
        vars(active)["time"] = real


@contextmanager
def out_of_time() -> Iterator[None]:
    """Let the time of a handler be up as soon as it says that it takes too long."""
    real = vars(attempt)["_within"]

    def within(timeout: float, call: Callable[[], Any]) -> Any:
        ended = real(timeout, call)
        is_too_long = ended is not None and ended.error is not None
        return None if is_too_long and isinstance(ended.error.__cause__, TookTooLong) else ended

    vars(attempt)["_within"] = within
    try:
        yield
    finally:
        vars(attempt)["_within"] = real

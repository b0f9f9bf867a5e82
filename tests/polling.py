"""Waiting in tests: look again and again, never sleep and hope."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def poll(look: Callable[[], Found], *, timeout: float = 20.0, every: float = 0.02) -> Found:
    """Returns what a look finds, as soon as it is something true."""
    deadline = time.monotonic() + timeout
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"Not seen within {timeout} s; the last look found {found!r}.")
        time.sleep(every)

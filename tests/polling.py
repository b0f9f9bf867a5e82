"""Waiting in tests: look again and again, never sleep and hope."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

PATIENCE_S = 300.0
"""How long to wait for what is sure to come: no machine is so slow, so it hangs. It is below the
timeout of a test, so that the wait itself says what it waited for."""


def poll(look: Callable[[], Found], *, timeout: float = PATIENCE_S, every: float = 0.02) -> Found:
    """Returns what a look finds, as soon as it is something true."""
    deadline = time.monotonic() + timeout
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"Not seen within {timeout} s; the last look found {found!r}.")
        time.sleep(every)

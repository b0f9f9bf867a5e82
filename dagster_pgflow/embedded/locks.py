"""Advisory file locks that the kernel releases, however a process ends.

Only ever released by closing: a forked child shares the lock of its parent, and an explicit
unlock in the child would take it from both.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dagster_pgflow.errors import EmbeddedPostgresError

POLL_SECONDS = 0.02


def open_lock(path: Path) -> int:
    """Opens a lock file, creating it, and returns its descriptor."""
    # No symlinks: root opens these in folders that belong to others.
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def try_exclusive(path: Path) -> int | None:
    """Takes the lock for this process alone; None when anybody else holds it."""
    return _try(path, fcntl.LOCK_EX)


def is_held(path: Path) -> bool:
    """Return whether some process holds the lock, shared or alone."""
    descriptor = try_exclusive(path)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


def share(path: Path) -> int:
    """Takes the lock together with others; waits while one process has it alone."""
    descriptor = open_lock(path)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


@contextmanager
def attempt(path: Path) -> Iterator[bool]:
    """Holds the lock alone for the length of a block, or yields that it does not."""
    descriptor = try_exclusive(path)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            os.close(descriptor)


@contextmanager
def exclusive(path: Path, timeout: float) -> Iterator[None]:
    """Holds the lock alone for the length of a block.

    Raises:
        EmbeddedPostgresError: Another process held it for longer than `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while (descriptor := try_exclusive(path)) is None:
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(
                f"Another process has been starting or stopping the embedded PostgreSQL in "
                f"{path.parent} for more than {timeout:.0f} seconds; see server.log there, and "
                f"end that process."
            )
        time.sleep(POLL_SECONDS)
    try:
        yield
    finally:
        os.close(descriptor)


def _try(path: Path, operation: int) -> int | None:
    descriptor = open_lock(path)
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor

"""The end of a run that its caller no longer wants: Ctrl-C, SIGTERM, a cancelled task.

What is at work may not know: Dagster takes signals for its own where it runs in the main thread,
and in another thread it hears of nothing. So the run ends between two steps, as cancelled, its rows
are written, and only then the caller hears of it what it would have heard at once.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context

import dagster as dg

from dagster_pgflow.runtime.op_run_inside import stoppable

SAID = "Who runs this flow in its own process has cancelled it."


class Cancellation:
    """Whether a run is to end before its time."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._cause: BaseException | None = None

    @property
    def is_asked(self) -> bool:
        """Whether the run is to end."""
        return self._asked.is_set()

    def ask(self, cause: BaseException | None = None) -> None:
        """Have the run end after the step that is at work.

        Args:
            cause: What its caller is to be told; nothing where it was told already.
        """
        self._cause = self._cause or cause
        self._asked.set()

    def tell(self) -> None:
        """Raise what the caller of a run is to be told that is over, if that is anything."""
        if self._cause is not None:
            raise self._cause

    @property
    def executor(self) -> dg.ExecutorDefinition:
        """The executor of the run: it does one step after the other, and may end between two."""
        return stoppable(SAID, self._note_signal)

    def _note_signal(self) -> None:
        if not self.is_asked:
            self.ask(KeyboardInterrupt())


def in_a_thread(work: Callable[[], None], cancellation: Cancellation) -> None:
    """Do the work of a run in another thread, and have it end early where this one is interrupted.

    Args:
        work: The work.
        cancellation: How it hears of that.
    """
    with ThreadPoolExecutor(1, "pgflow-run") as threads:
        future = threads.submit(copy_context().run, work)
        try:
            future.result()
        except BaseException as error:
            if future.done():
                raise
            cancellation.ask(error)
            future.result()


@contextmanager
def signals_kept() -> Iterator[None]:
    """Put back what signals did before.

    Dagster 1.13 leaves SIGTERM behind with what SIGINT does.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        # None stands for what was not set from Python, and cannot be put back from there.
        if before is not None:
            signal.signal(signal.SIGTERM, before)

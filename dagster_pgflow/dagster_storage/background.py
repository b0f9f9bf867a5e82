"""The thread that writes what nobody asked for, and gives back what nobody uses."""

import threading
import time
from collections.abc import Callable
from typing import Final

IDLE_AFTER: Final = 60.0
"""After how many seconds without use connections are given back, and the thread ends."""


class Background:
    """A thread that begins when there is something to do, and ends when there is not.

    So a process that only imports or builds a storage has none, and neither has one that was
    forked.

    Args:
        flush: Writes what waits.
        on_idle: Gives back what is not used.
        interval: How many seconds after the first wish the flush is due.
        idle_after: After how many seconds without a wish it ends.
    """

    def __init__(
        self,
        flush: Callable[[], None],
        on_idle: Callable[[], None],
        interval: float,
        idle_after: float = IDLE_AFTER,
    ) -> None:
        self._flush = flush
        self._on_idle = on_idle
        self._interval = interval
        self._idle_after = idle_after
        self._wish = threading.Condition()
        self._is_due = False
        self._halt = threading.Event()
        self._used_at = 0.0
        self._thread: threading.Thread | None = None

    def flush_soon(self) -> None:
        """Has everything written that waits when the interval is over."""
        if self._is_due and self._is_there():
            return
        with self._wish:
            self._is_due = True
            self._be_there()
            self._wish.notify()

    def in_use(self) -> None:
        """Says that connections are used now."""
        self._used_at = time.monotonic()
        if not self._is_there():
            with self._wish:
                self._be_there()

    def stop(self) -> None:
        """Ends the thread, and waits for that."""
        with self._wish:
            thread = self._thread
            self._halt.set()
            self._wish.notify()
        try:
            if thread is not None and thread.is_alive():
                thread.join()
        finally:
            self._halt.clear()

    def _is_there(self) -> bool:
        # Whoever starts it may be interrupted before it runs.
        thread = self._thread
        return thread is not None and thread.is_alive()

    def _be_there(self) -> None:
        self._used_at = time.monotonic()
        if not self._is_there():
            self._thread = threading.Thread(
                target=self._work, name="dagster-pgflow-events", daemon=True
            )
            self._thread.start()

    def _work(self) -> None:
        while self._next_wish():
            self._halt.wait(self._interval)
            self._is_due = False
            self._flush()
            self._used_at = time.monotonic()
        self._on_idle()

    def _next_wish(self) -> bool:
        """Waits for a wish; says `False` when the thread shall end, and nothing is wished for."""
        with self._wish:
            while not self._is_due and not self._halt.is_set():
                left = self._used_at + self._idle_after - time.monotonic()
                if left <= 0:
                    break
                self._wish.wait(left)
            if not self._is_due:
                self._thread = None
            return self._is_due

"""Hears of runs that end, for all who wait for one in this process, through one connection."""

import os
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final
from uuid import UUID

from dagster_pgflow.errors import StoreError
from dagster_pgflow.store.address import Address
from dagster_pgflow.store.listener import Listener

CHANNEL: Final = "pgflow_runs_ended"
"""What the transaction tells on that writes the end of a run, with the run's id."""

LOOK_EVERY_S: Final = 1.0
"""How often the rows are looked at as well: what is told while a connection is cut is lost."""

LISTEN_WITHIN_S: Final = 5.0
"""How long one who begins to wait does so for the connection; then the looks have to do."""

IDLE_S: Final = 10.0
"""How long the connection stays when nobody waits any more."""

Tell = Callable[[], object]


class RunEnds:
    """Tells who waits for a run that it may be over.

    It has a thread and a connection of its own as long as somebody waits, however many do.

    Args:
        address: The database.
        over: Returns which of some runs are over.
    """

    def __init__(
        self, address: Address, over: Callable[[Collection[UUID]], Collection[UUID]]
    ) -> None:
        self._address = address
        self._over = over
        self._process_id = 0
        self._is_closed = False
        self._lock = threading.Lock()
        self._waiting: dict[UUID, list[Tell]] = {}
        self._thread: threading.Thread | None = None
        self._is_listening = threading.Event()

    def subscribe(self, run_id: UUID, tell: Tell) -> Callable[[], None]:
        """Have something called when a run may be over: from another thread, perhaps repeatedly.

        Whoever subscribes looks once for itself afterwards: what ended before is not told.

        Returns:
            What ends the subscription.
        """
        self._forget_parent_process()
        with self._lock:
            self._is_closed = False
            self._waiting.setdefault(run_id, []).append(tell)
            if self._thread is None:
                self._is_listening.clear()
                self._thread = threading.Thread(
                    target=self._listen, name="pgflow-run-ends", daemon=True
                )
                self._thread.start()
        self._is_listening.wait(LISTEN_WITHIN_S)
        return lambda: self._unsubscribe(run_id, tell)

    def close(self) -> None:
        """Let go of the connection, within a second, if nobody waits."""
        self._is_closed = True

    def _forget_parent_process(self) -> None:
        """Begin anew in a process that was forked: threads and sockets stayed with its parent."""
        if self._process_id not in (0, os.getpid()):
            self._lock = threading.Lock()
            self._waiting = {}
            self._thread = None
            self._is_listening = threading.Event()
        self._process_id = os.getpid()

    def _unsubscribe(self, run_id: UUID, tell: Tell) -> None:
        with self._lock:
            told = self._waiting.get(run_id, [])
            if tell in told:
                told.remove(tell)
            if not told:
                self._waiting.pop(run_id, None)

    def _listen(self) -> None:
        listener = Listener(self._address, CHANNEL)
        looked_at = needed_at = time.monotonic()
        try:
            while True:
                now = time.monotonic()
                needed_at = now if self._waiting else needed_at
                if (self._is_closed or now - needed_at > IDLE_S) and self._is_done():
                    return
                self._hear(listener)
                if now - looked_at >= LOOK_EVERY_S:
                    looked_at = now
                    self._look()
        finally:
            listener.close()

    def _hear(self, listener: Listener) -> None:
        """Tell of what is heard within a second."""
        try:
            if not listener.is_open:
                listener.open()
                self._is_listening.set()
                self._look()
            if listener.wait(LOOK_EVERY_S):
                for _, payload in listener.heard():
                    with suppress(ValueError):
                        self._tell(UUID(payload))
        except (StoreError, OSError, ValueError):
            # The server is away: who waits goes on waiting, and is told when it is back.
            time.sleep(LOOK_EVERY_S)

    def _look(self) -> None:
        """Tell of the runs that are over, as the rows say."""
        with self._lock:
            wanted = list(self._waiting)
        if not wanted:
            return
        with suppress(StoreError):
            for run_id in self._over(wanted):
                self._tell(run_id)

    def _tell(self, run_id: UUID) -> None:
        with self._lock:
            told = list(self._waiting.get(run_id, ()))
        for tell in told:
            # Whoever waited may be gone, and the event loop with it.
            with suppress(RuntimeError):
                tell()

    def _is_done(self) -> bool:
        """Return whether the thread may end, since nobody waits; then another one begins anew."""
        with self._lock:
            if self._waiting:
                return False
            self._thread = None
            return True

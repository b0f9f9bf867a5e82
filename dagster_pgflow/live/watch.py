"""Watches over one run while it is executed: says that it is at work, hears that it shall end."""

import logging
import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final
from uuid import UUID

import dagster as dg

from dagster_pgflow.errors import StoreError
from dagster_pgflow.store.live_runs import LiveRuns

_log = logging.getLogger(__name__)

SEE_EVERY_S: Final = 1.0
LOOK_EVERY_S: Final = 5.0
"""How often Dagster is asked whether somebody marked the run as cancelled there."""

LOOK_NOW: Final = signal.SIGUSR1
"""What the supervisor sends to a process whose run somebody wants to end."""


class Alarm:
    """Wakes a thread from a signal, also while the main thread is busy in code that is not Python.

    Python runs its handlers of signals in the main thread, when that comes to it; what it writes to
    a descriptor at once is all that can reach another thread before.
    """

    def __init__(self) -> None:
        self._heard, told = os.pipe()
        os.set_blocking(self._heard, False)
        os.set_blocking(told, False)
        signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        signal.signal(LOOK_NOW, _nothing)

    def wait(self, seconds: float) -> None:
        """Wait for a signal, at most for so long."""
        if select.select([self._heard], [], [], seconds)[0]:
            self.clear()

    def clear(self) -> None:
        """Forget signals that came before."""
        with suppress(BlockingIOError):
            while os.read(self._heard, 4096):
                pass


class RunWatch:
    """A thread beside the run of a child.

    Args:
        instance: The Dagster instance.
        live_runs: Where it is said that the run is at work.
        worker_id: The live worker.
        alarm: What makes it look at once.
    """

    def __init__(
        self, instance: dg.DagsterInstance, live_runs: LiveRuns, worker_id: UUID, alarm: Alarm
    ) -> None:
        self._instance = instance
        self._live_runs = live_runs
        self._worker_id = worker_id
        self._alarm = alarm

    @contextmanager
    def over(self, dagster_run_id: str) -> Iterator[None]:
        """Watch over a run within the block. A signal that comes late reaches no other run."""
        is_over = threading.Event()
        self._alarm.clear()
        thread = threading.Thread(
            target=self._watch, args=(dagster_run_id, is_over), name="pgflow-watch", daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            os.kill(os.getpid(), LOOK_NOW)
            thread.join()

    def _watch(self, dagster_run_id: str, is_over: threading.Event) -> None:
        looked_at = time.monotonic()
        while True:
            self._alarm.wait(SEE_EVERY_S)
            if is_over.is_set():
                return
            try:
                shall_end = self._live_runs.see(UUID(dagster_run_id), self._worker_id)
                if shall_end is False and time.monotonic() - looked_at > LOOK_EVERY_S:
                    looked_at = time.monotonic()
                    shall_end = self._is_ended_elsewhere(dagster_run_id)
            except (StoreError, dg.DagsterError, OSError) as error:
                _log.warning("Nobody can be asked about run %s. %s", dagster_run_id, error)
                continue
            except Exception:  # noqa: BLE001  the run goes on without being watched
                _log.exception("Nobody can be asked about run %s.", dagster_run_id)
                continue
            if shall_end is not False and not is_over.is_set():
                self._interrupt(dagster_run_id)
                return

    def _is_ended_elsewhere(self, dagster_run_id: str) -> bool:
        run = self._instance.get_run_by_id(dagster_run_id)
        return run is None or run.is_finished or run.status is dg.DagsterRunStatus.CANCELING

    def _interrupt(self, dagster_run_id: str) -> None:
        """End the run as Ctrl-C would; Dagster tells a cancellation by the status of the run."""
        run = self._instance.get_run_by_id(dagster_run_id)
        if (
            run is not None
            and not run.is_finished
            and run.status is not dg.DagsterRunStatus.CANCELING
        ):
            self._instance.report_run_canceling(run)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the signal has woken who waits for it."""

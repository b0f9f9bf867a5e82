"""Waits until a run is over, and returns its output: in a thread, or in an event loop."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID

from dagster_pgflow.errors import StoreRefused
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.run_outcomes import RunTimedOut, output_of

PATIENCE_S: Final = 60.0
"""For how long a database that is away is waited for, when the time of the wait itself allows."""

LONGEST_S: Final = 60.0
"""After how long one who waits looks for itself, told or not."""


class RunWait:
    """Waits for one run.

    Args:
        database: The store.
        run_id: The run, which may not be asked for yet.
        timeout: For how many seconds to wait at most; `None` is without end.
    """

    def __init__(self, database: Database, run_id: UUID, timeout: float | None) -> None:
        self._ends = database.run_ends
        self._run_id = run_id
        self._timeout = timeout
        self._ends_at = None if timeout is None else time.monotonic() + max(timeout, 0.0)
        patience = PATIENCE_S if timeout is None else min(PATIENCE_S, max(timeout, 0.0))
        self._database = database.retrying(patience)

    def output(self, begin: Callable[[], object] = lambda: None) -> Any:
        """Wait, and return the output of the run.

        Args:
            begin: Asks for the run; called when its end could be heard.

        Raises:
            RunFailed: It failed.
            RunCancelled: It was cancelled.
            RunTimedOut: It goes on.
            StoreRefused: There is no such run.
        """
        told = threading.Event()
        unsubscribe = self._ends.subscribe(self._run_id, told.set)
        try:
            begin()
            while True:
                told.clear()
                row = self._look()
                if row is not None:
                    return output_of(row)
                told.wait(self._pause())
        finally:
            unsubscribe()

    async def output_async(self, begin: Callable[[], object] = lambda: None) -> Any:
        """Do the same in an event loop, which goes on with other work meanwhile."""
        told = asyncio.Event()
        loop = asyncio.get_running_loop()

        def tell() -> None:
            loop.call_soon_threadsafe(told.set)

        unsubscribe = await _finished(asyncio.to_thread(self._ends.subscribe, self._run_id, tell))
        try:
            await asyncio.to_thread(begin)
            while True:
                told.clear()
                row = await asyncio.to_thread(self._look)
                if row is not None:
                    return output_of(row)
                try:
                    await asyncio.wait_for(told.wait(), self._pause())
                except TimeoutError:
                    continue
        finally:
            unsubscribe()

    def _look(self) -> Any:
        """Return the row of the run when it is over, else `None` as long as there is time."""
        row = self._database.fetch_one("fetch_run_end", run_id=str(self._run_id))
        if row is None:
            raise StoreRefused(
                f"There is no run {self._run_id}; `dagster-pgflow status` lists the latest runs."
            )
        if row["status"] not in ("queued", "started", "waiting"):
            return row
        if self._ends_at is not None and time.monotonic() >= self._ends_at:
            raise RunTimedOut(self._run_id, row["flow_slug"], self._timeout or 0.0)
        return None

    def _pause(self) -> float:
        if self._ends_at is None:
            return LONGEST_S
        return min(LONGEST_S, max(self._ends_at - time.monotonic(), 0.0))


async def _finished(begun: Awaitable[Callable[[], None]]) -> Callable[[], None]:
    """Return the end of a subscription, and see to it also when the wait for it is cancelled."""
    task = asyncio.ensure_future(begun)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(lambda done: done.exception() or done.result()())
        raise

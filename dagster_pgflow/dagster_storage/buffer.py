"""Events that wait for their batch: in the order in which they came, and never for long."""

import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dagster_pgflow.dagster_storage.background import Background
from dagster_pgflow.dagster_storage.batches import EventBatch, EventRefused, Row
from dagster_pgflow.dagster_storage.refusals import Refusals

_LOG = logging.getLogger(__name__)

DEFAULT_INTERVAL_MS: Final = 30
DEFAULT_EVENTS: Final = 500
DEFAULT_BYTES: Final = 4_000_000


@dataclass(frozen=True)
class BatchLimits:
    """When a batch is written, whoever reads or not.

    Attributes:
        interval_ms: So many milliseconds after its first event; 0 keeps no event waiting.
        events: When it has so many.
        bytes: When they have so many bytes together.
    """

    interval_ms: int = DEFAULT_INTERVAL_MS
    events: int = DEFAULT_EVENTS
    bytes: int = DEFAULT_BYTES


class EventBuffer:
    """Holds events until they are written, by whoever comes first: a reader, the clock, the limit.

    One thread at a time writes, and it takes everything that is there. So events are in the log in
    the order in which they were given, whichever threads gave them.

    An event is out of the buffer only when it is known to be stored or known to be refused. A write
    that is interrupted at any point is taken up again by the next one.

    Args:
        write: Stores a batch; raises `EventRefused` when it cannot be, and anything else when it
            may be tried again.
        limits: When it is written.
        on_idle: What to do when nothing has happened for a while.
    """

    def __init__(
        self, write: Callable[[EventBatch], None], limits: BatchLimits, on_idle: Callable[[], None]
    ) -> None:
        self._write = write
        self._limits = limits
        self._on_idle = on_idle
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forgets everything, as a process does that was forked: its parent has the events."""
        # A signal handler that logs may come upon its own thread in here.
        self._lock = threading.RLock()
        self._turn = threading.RLock()
        self._writer: int | None = None
        self._waiting: list[Row] = []
        self._waiting_bytes = 0
        self._batches: list[EventBatch] = []
        self.refusals = Refusals()
        self._is_failing = False
        self.background = Background(
            self._flush_in_background, self._on_idle, self._limits.interval_ms / 1000
        )

    def add(self, row: Row, *, at_once: bool) -> None:
        """Takes an event.

        Args:
            row: The event.
            at_once: Whether it shall be stored when this returns.

        Raises:
            Exception: An earlier event of this run was refused, or the database is away. The event
                itself is taken.
        """
        with self._lock:
            self._waiting.append(row)
            self._waiting_bytes += row.size
            is_full = (
                len(self._waiting) >= self._limits.events
                or self._waiting_bytes >= self._limits.bytes
            )
        if at_once or is_full or self._is_failing or not self._limits.interval_ms:
            self.flush()
        else:
            self.background.flush_soon()
        if row.is_line:
            self.refusals.raise_for_line(row.run_id)
        else:
            self.refusals.raise_for_event(row.run_id)

    def flush(self) -> None:
        """Stores what was given so far, by any thread, before it returns.

        What logs while it writes finds nothing to do here; its events are in the next batch.

        Raises:
            Exception: The database is away. The events stay in the buffer.
        """
        if self._writer == threading.get_ident() or self._is_empty():
            return
        with self._turn:
            self._writer = threading.get_ident()
            try:
                self._write_all()
                self._is_failing = False
            except BaseException:
                self._is_failing = True
                raise
            finally:
                self._writer = None

    def flush_at_last(self) -> None:
        """Stores what was given so far, where nobody is left who could hear that it failed."""
        try:
            self.flush()
        except Exception as failure:  # noqa: BLE001  whatever keeps events from their table
            with self._lock:
                lost = len(self._waiting) + sum(len(batch.rows) for batch in self._batches)
            _LOG.error("%s events of Dagster's log could not be stored: %s", lost, failure)

    def _is_empty(self) -> bool:
        with self._lock:
            return not self._waiting and not self._batches

    def _write_all(self) -> None:
        with self._lock:
            if self._waiting:
                self._batches.append(EventBatch(self._waiting))
                self._waiting, self._waiting_bytes = [], 0
        while self._batches:
            batch = self._batches[0]
            try:
                self._write(batch)
            except EventRefused as refused:
                self._part(batch, refused)
            else:
                self._batches[:1] = []

    def _part(self, batch: EventBatch, refused: EventRefused) -> None:
        """Goes on with the halves of what was refused, so that one event costs no other its row."""
        if len(batch.rows) > 1:
            self._batches[:1] = batch.halves()
            return
        self.refusals.note(batch.rows[0], refused.reason)
        self._batches[:1] = []

    def _flush_in_background(self) -> None:
        # Who stores the next event hears of it: while this fails, each event is stored at once.
        with contextlib.suppress(Exception):
            self.flush()

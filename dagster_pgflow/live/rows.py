"""The rows process: keeps the run tables close behind the runs that are under way.

What it reads of a run it remembers, so a look costs what is new, and some microseconds for each
event before. Whether everything was seen is not its business: the process of a run reads it whole
at its end.
"""

import gc
import logging
import math
import select
import time
from typing import Final
from uuid import UUID

from dagster_pgflow.dagster_log.remembered_records import RememberedRecords
from dagster_pgflow.dagster_log.which_log import log_of
from dagster_pgflow.errors import PgflowError
from dagster_pgflow.live.channel import Channel
from dagster_pgflow.live.messages import Began, Ended, Message
from dagster_pgflow.live.serving import Serving
from dagster_pgflow.webhooks.sending_thread import SendingThread

_log = logging.getLogger(__name__)

EVERY_S: Final = 0.2
"""How often the runs under way are looked at; most runs are over before that."""

SEEN_EVERY_S: Final = 60.0
"""How often it says that this Dagster is there, so that no other one ends its runs."""

FEWER_COLLECTIONS: Final = 100_000
"""A look makes many objects and drops them all: looking for cycles among them costs as much."""


class Rows:
    """Writes the rows of runs under way, until nobody tells it of runs any more.

    Args:
        serving: The code location and Dagster.
        told: Where it is told which runs begin and end.
    """

    def __init__(self, serving: Serving, told: Channel) -> None:
        self._projector = serving.projector(RememberedRecords(serving.instance))
        self._tables = serving.store.tables
        self._own_log = log_of(serving.instance)
        self._seen_at = -math.inf
        self._told = told
        self._under_way: dict[UUID, float] = {}
        self._webhooks = SendingThread(serving.served.location.webhooks())
        gc.set_threshold(FEWER_COLLECTIONS)

    def serve(self) -> None:
        """Look at each run under way again and again, no more than half of the time."""
        self._webhooks.start()
        pause = EVERY_S
        while self._listen(pause):
            begun = time.monotonic()
            self._be_seen(begun)
            due = [run for run, since in self._under_way.items() if begun - since > EVERY_S]
            if due:
                self._look_at(due)
            pause = max(EVERY_S, time.monotonic() - begun)

    def _be_seen(self, now: float) -> None:
        if self._own_log is None or now - self._seen_at < SEEN_EVERY_S:
            return
        self._seen_at = now
        try:
            self._tables.see(self._own_log)
        except PgflowError as error:
            _log.info("Nobody is told that this Dagster is there. %s", error)

    def _look_at(self, due: list[UUID]) -> None:
        try:
            self._projector.look_at(due)
        except PgflowError as error:
            # The next look comes soon, and the process of the run looks at its end.
            _log.info("The rows of runs under way wait. %s", error)

    def _listen(self, seconds: float) -> bool:
        """Hear what begins and ends, for so long; return whether there is more to come."""
        deadline = time.monotonic() + seconds
        while True:
            left = max(deadline - time.monotonic(), 0)
            patience = left if self._under_way else SEEN_EVERY_S
            if not select.select([self._told], [], [], patience)[0]:
                return True
            message = self._told.receive()
            if message is None:
                return False
            self._note(message)

    def _note(self, message: Message) -> None:
        match message:
            case Began():
                self._under_way[UUID(message.dagster_run_id)] = time.monotonic()
            case Ended():
                self._under_way.pop(UUID(message.dagster_run_id), None)
                self._webhooks.wake()
            case _:
                raise ValueError(f"The rows process does not understand {message}.")

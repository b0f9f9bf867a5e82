"""Circuit breakers, bulkheads and rate limiters, whose state is rows that all processes share.

What decides is in SQL, by the clock of the database. Here is what a process does around it.
"""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

from dagster_pgflow.errors import StoreError
from dagster_pgflow.json_values.text import write_own_json
from dagster_pgflow.store.database import Database

KEEP_EVERY_S: Final = 10.0
"""How often a process says that a call is under way; `pgflow.call_lease` is three times that."""

_log = logging.getLogger(__name__)


class CallGuardRows:
    """Asks the rows of guards.

    Args:
        database: The store, as patient as whoever asks.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        # Whoever keeps a call comes again soon; to wait for a server would keep a thread.
        self._impatient = database.retrying(0)

    def enter(
        self, tenant: str, guards: Mapping[str, Any], call_id: UUID, holder: str
    ) -> dict[str, Any]:
        """Take a call past guards; return what they say, see `pgflow.enter_call`."""
        answer: dict[str, Any] = self._database.fetch_value(
            "enter_call",
            tenant=tenant,
            guards=write_own_json(guards, "The guards of a step"),
            call_id=str(call_id),
            holder=holder,
        )
        return answer

    def leave(
        self,
        tenant: str,
        guards: Mapping[str, Any],
        call_id: UUID,
        outcome: str,
        breaker_round: int | None,
    ) -> None:
        """Free what a call holds and note what it came to; where that fails, say so in the log.

        Its slot is free soon all the same, and one call more or less decides nothing.
        """
        try:
            self._database.fetch_value(
                "leave_call",
                tenant=tenant,
                guards=write_own_json(guards, "The guards of a step"),
                call_id=str(call_id),
                outcome=outcome,
                round=breaker_round,
            )
        except StoreError as error:
            _log.warning("What a guarded call came to is not counted: %s", error)

    @contextmanager
    def keeping(self, call_id: UUID) -> Iterator[None]:
        """Say every few seconds that a call is under way, as long as the block is."""
        is_over = threading.Event()
        keeper = threading.Thread(
            target=self._keep, args=(call_id, is_over), name="pgflow-call", daemon=True
        )
        keeper.start()
        try:
            yield
        finally:
            is_over.set()

    def _keep(self, call_id: UUID, is_over: threading.Event) -> None:
        while not is_over.wait(KEEP_EVERY_S):
            try:
                self._impatient.fetch_value("keep_call", call_id=str(call_id))
            except StoreError as error:
                _log.warning("A guarded call could not be kept, and is tried again: %s", error)

"""Looks at events for triggers: whether a condition holds, and what the input of the run is.

PostgreSQL queues what happened, and starts what is to start. What lies between is CEL and
templates, so whoever takes requests computes it here, some at a time. All that is made of one
event by one trigger is one transaction with what it starts: a process that dies leaves the event
as it was, and the id of the run follows from trigger and event.
"""

import time
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sqlalchemy import RowMapping

from dagster_pgflow.errors import PgflowError, StoreError, in_short_words
from dagster_pgflow.expressions.cel import EVENT_ROOT, expression
from dagster_pgflow.expressions.references import EVENT, ROOTS_OF_TRIGGERS, filled
from dagster_pgflow.json_values.storable import storable
from dagster_pgflow.json_values.text import read_own_json, write_own_json
from dagster_pgflow.model.trigger import Verdict
from dagster_pgflow.store.database import Database, Transaction
from dagster_pgflow.validation.triggers import ROOTS

AT_A_TIME: Final = 20
MOST_PER_TURN: Final = 200
MOST_S: Final = 5.0
"""How many are looked at in one transaction, and in one turn, and how long a turn takes at most."""

LONGEST_REASON: Final = 4000


class TriggerQueue:
    """What happened, and what triggers have not looked at yet.

    Args:
        database: The store.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def look(self, most: int = MOST_PER_TURN, most_s: float = MOST_S) -> int:
        """Let triggers look at events, the oldest first, and return for how many that was done.

        What is left waits for the next turn. Several processes may do this at the same time.

        Args:
            most: For how many at most.
            most_s: After how many seconds to leave the rest.
        """
        ends_at = time.monotonic() + most_s
        done = 0
        self._database.run(lambda transaction: transaction.fetch_value("note_reminders"))
        while done < most and time.monotonic() < ends_at:
            if not self._database.fetch_value("is_trigger_pending"):
                break
            limit = min(AT_A_TIME, most - done)
            looked_at = self._database.run(partial(_look, limit=limit))
            if looked_at == 0:
                break  # Others have what is left.
            done += looked_at
        return done


def _look(transaction: Transaction, limit: int) -> int:
    rows = transaction.fetch_all("fetch_pending_triggers", limit=limit)
    events = _Events(transaction)
    for row in rows:
        _decide(transaction, row, events)
    return len(rows)


def _decide(transaction: Transaction, row: RowMapping, events: "_Events") -> None:
    ids = {"trigger_id": row["trigger_id"], "event_id": row["event_id"]}
    verdict: Verdict = "fired"
    reason: str | None = None
    given: str | None = None
    try:
        if row["enabled"] and not _holds(row, events):
            verdict = "not_met"
        elif row["enabled"] and row["input"] is not None:
            given = _input(row, events)
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001  whatever it is, the other triggers are not to blame
        verdict = "failed"
        said = str(error) if isinstance(error, (PgflowError, Undecided)) else repr(error)
        reason = storable(in_short_words(said))[:LONGEST_REASON]
    if verdict == "fired":
        transaction.fetch_value("fire_trigger", **ids, input=given)
    else:
        transaction.execute("put_trigger_outcome", **ids, outcome=verdict, reason=reason)


def _holds(row: RowMapping, events: "_Events") -> bool:
    condition = row["condition"]
    if condition is None:
        return True
    try:
        asked = expression(condition, ROOTS)
        event = events.get(row["event_id"])
        return event is None or asked.holds({EVENT_ROOT: event.value})
    except StoreError:
        raise
    except PgflowError as error:
        raise Undecided(f"The condition `{condition}` has no answer: {error}") from error


def _input(row: RowMapping, events: "_Events") -> str | None:
    event = events.get(row["event_id"])
    if event is None:
        return None
    template = read_own_json(row["input"], "The input of a trigger")
    try:
        made = filled(template, {EVENT: event.value}, ROOTS_OF_TRIGGERS)
        return write_own_json(made, "The input that a trigger makes")
    except PgflowError as error:
        raise Undecided(f"The input cannot be made of the event: {error}") from error


class Undecided(Exception):
    """A trigger can make nothing of an event, for the reason that it says."""


@dataclass(frozen=True)
class _Event:
    value: Any


class _Events:
    """The events of one transaction; one at a time is kept, since each may be large."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._kept: tuple[int, _Event | None] | None = None

    def get(self, event_id: int) -> _Event | None:
        """Return an event; `None` when the run is gone that it tells of."""
        if self._kept is None or self._kept[0] != event_id:
            text = self._transaction.fetch_value("fetch_event", event_id=event_id)
            found = None if text is None else _Event(read_own_json(text, "The event"))
            self._kept = event_id, found
        return self._kept[1]

"""What webhooks are to be told: rows that senders take, one sender a row."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from dagster_pgflow.store.database import Database

DeliveryStatus = Literal["pending", "delivered", "given_up"]


@dataclass(frozen=True)
class Delivery:
    """Something to be told, in the hands of one sender.

    Attributes:
        delivery_id: Stays the same however often it is sent.
        flow_slug: The flow of the run.
        event: What happened, such as `run.completed`.
        url: Where it goes.
        secret_name: The secret that it is signed with.
        allow_private: Whether it may go into a private network.
        body: What is sent.
        attempts: Which attempt this is, counted from 1.
    """

    delivery_id: UUID
    flow_slug: str
    event: str
    url: str
    secret_name: str
    allow_private: bool
    body: str
    attempts: int


@dataclass(frozen=True)
class DeliveryReport:
    """How it stands with something that was to be told.

    Attributes:
        event: What happened.
        status: Whether it was told.
        attempts: How often it was tried.
        answer: The last HTTP status.
        error_message: Why the last attempt failed.
        due_at: When it is tried next, while it is pending.
        ended_at: When it was delivered or given up.
    """

    event: str
    status: DeliveryStatus
    attempts: int
    answer: int | None
    error_message: str | None
    due_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class DeliveryTrouble:
    """A flow whose webhook is not told what it should be.

    Attributes:
        flow_slug: The flow.
        waiting: How many deliveries are late, or failed and will be tried again.
        given_up: How many were given up within a day.
        error_message: Why the last of them failed.
    """

    flow_slug: str
    waiting: int
    given_up: int
    error_message: str | None


class Deliveries:
    """Takes what is to be told, and notes what came of it.

    Args:
        database: The store.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, most: int) -> tuple[Delivery, ...]:
        """Take some that are due; nobody else gets them for a minute."""
        rows = self._database.fetch_all("claim_deliveries", most=most)
        return tuple(Delivery(**row) for row in rows)

    def note(self, delivery: Delivery, answer: int | None, error_message: str | None) -> None:
        """Note what came of an attempt.

        Args:
            delivery: What was sent.
            answer: The HTTP status, if there was one.
            error_message: Why it failed; `None` says that it was delivered.
        """
        message = None if error_message is None else error_message.replace("\x00", "\ufffd")[:1000]
        self._database.fetch_value(
            "note_delivery",
            delivery_id=str(delivery.delivery_id),
            attempt=delivery.attempts,
            answer=answer,
            error_message=message,
        )

    def troubles(self) -> Sequence[DeliveryTrouble]:
        """Return the flows whose webhooks are not told what they should be."""
        rows = self._database.fetch_all("fetch_delivery_troubles")
        return tuple(DeliveryTrouble(**row) for row in rows)

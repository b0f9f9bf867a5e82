"""Runs that go on after they have waited: who takes one up, and which Dagster run it becomes.

The claim is a row. It is held by the transaction that makes the Dagster run, and one whose Dagster
run never began is claimed again after a while, under the same number and so the same id.
"""

from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from dagster_pgflow.names import continuation_id
from dagster_pgflow.store.database import Database, Transaction
from dagster_pgflow.store.live_runs import THERE_FOR_S
from dagster_pgflow.store.requests import LIVE_HAS_IT_FOR_S

ContinuationKind = Literal["resume", "cancel", "recover"]
"""Why a run goes on: what it waited for has come, or it is to end, or its process died."""

LEASE_S: Final = 60.0
"""After how many seconds a claimed continuation that has not begun may be claimed again."""


@dataclass(frozen=True)
class Continuation:
    """A further Dagster run of a run, which one process holds.

    Attributes:
        run_id: The run, as `pgflow.runs` has it.
        number: The how manieth time it goes on: 1, 2, ...
        kind: Why it goes on.
        flow_slug: Its flow.
        dagster_run_id: The Dagster run that it goes on with.
    """

    run_id: UUID
    number: int
    kind: ContinuationKind
    flow_slug: str
    dagster_run_id: UUID

    @property
    def continues_as(self) -> UUID:
        """The id of the Dagster run that it is to become, however often it is claimed."""
        return continuation_id(self.run_id, self.number)


class Continuations:
    """Takes up runs that have waited, and says what became of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def next(
        self,
        transaction: Transaction,
        lease_s: float = LEASE_S,
        *,
        in_queue: bool = True,
        own_log: str | None = None,
    ) -> Continuation | None:
        """Return the run that is to go on next; `None` when none may.

        Args:
            transaction: Holds it: until it ends, nobody else is offered this run.
            lease_s: After how many seconds one may be claimed again that was claimed before, and
                has not begun; its Dagster run may be there already.
            in_queue: Whether it is to go the way of Dagster's queue. Live workers leave those
                alone that are for that alone, and have all others for some time.
            own_log: Which Dagster is to have it; those stay out that another one has.
        """
        row = transaction.fetch_one(
            "claim_continuation",
            lease_s=lease_s,
            in_queue=in_queue,
            there_for=THERE_FOR_S,
            live_has_it_for=LIVE_HAS_IT_FOR_S,
            own_log=own_log,
        )
        if row is None:
            return None
        claimed = Continuation(**row)
        transaction.execute(
            "name_continuation",
            run_id=str(claimed.run_id),
            number=claimed.number,
            dagster_run_id=str(claimed.continues_as),
        )
        return claimed

    def postpone(self, transaction: Transaction, run_id: UUID, number: int, problem: str) -> None:
        """Say why a run cannot go on now; it is tried again, each time after a longer pause.

        Args:
            transaction: One that holds it, or another one, where the claim was lost.
            run_id: The run.
            number: Which Dagster run would have gone on with it.
            problem: Why, for people.
        """
        ids = {"run_id": str(run_id), "number": number}
        transaction.execute("insert_postponed_continuation", **ids)
        transaction.execute("postpone_continuation", **ids, problem=problem)

    def leave_to_queue(
        self, transaction: Transaction, run_id: UUID, number: int, *, at_once: bool = False
    ) -> None:
        """Leave a run that is to go on to Dagster's queue, for good.

        Args:
            transaction: The one that holds it.
            run_id: The run.
            number: Which Dagster run is to go on with it.
            at_once: Whether another one is to claim it now, since this one makes no Dagster run.
        """
        transaction.execute(
            "leave_continuation_to_queue", run_id=str(run_id), number=number, at_once=at_once
        )

    def try_again(self) -> None:
        """Have those tried at once that could not go on."""
        self._database.execute("try_continuations_again")

    def newest(self, run_id: UUID) -> UUID | None:
        """Return the newest Dagster run of a run; `None` if it never waited and went on."""
        newest: UUID | None = self._database.fetch_value(
            "fetch_newest_continuation", run_id=str(run_id)
        )
        return newest

    def end(self, transaction: Transaction, run_id: UUID, number: int) -> bool:
        """Note that the Dagster run of a continuation is over; whether it was not yet."""
        ended = transaction.fetch_value("end_continuation", run_id=str(run_id), number=number)
        return bool(ended)

    def seconds_until_due(self) -> float | None:
        """Return in how many seconds the next wait is over by itself; `None` when none is."""
        seconds = self._database.fetch_value("fetch_seconds_until_due")
        return None if seconds is None else float(seconds)

    def cancel(self, run_id: UUID) -> bool:
        """Have a run end that waits; whether it waited, so that this was all there is to do.

        Raises:
            StoreRefused: There is no such run.
        """
        return bool(self._database.fetch_value("cancel_waiting_run", run_id=str(run_id)))

"""Requests in the hands of live workers: one transaction from the row to its run in Dagster.

The lock on the row is the lease. A worker that dies before the commit lets go of it, and the next
one finds the run in Dagster that the first has made, under the same id.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import RowMapping

from dagster_pgflow.model.run_cursor import FoundRun
from dagster_pgflow.store.concurrency_keys import MOST_LOOKS, give_keys
from dagster_pgflow.store.database import Database, Transaction
from dagster_pgflow.store.found_runs import list_runs


@dataclass(frozen=True)
class ClaimedRequest:
    """A request that one worker holds.

    Attributes:
        run_id: The id of the run to be.
        flow_slug: The flow.
        version_id: The watermark that the run executes.
        created_at: When it was asked for.
    """

    run_id: UUID
    flow_slug: str
    version_id: int
    created_at: datetime


class Claims:
    """Takes requests, and says what became of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def next(self, transaction: Transaction) -> ClaimedRequest | None:
        """Return the request that is to start next; `None` when none may.

        Args:
            transaction: Holds it: until it ends, nobody else is offered this request.
        """
        for _ in range(MOST_LOOKS):
            row = transaction.fetch_one("claim_request", passes_unkeyed=False)
            if row is None:
                return None
            if row["awaits_key"]:
                # In a transaction of its own: others, too, can take what then has a key.
                give_keys(self._database, row["flow_slug"])
                row = transaction.fetch_one("claim_request", passes_unkeyed=True)
            if row is not None:
                return _claimed(row)
        return None

    def bind(
        self,
        transaction: Transaction,
        claimed: ClaimedRequest,
        dagster_run_id: UUID,
        own_log: str | None = None,
    ) -> None:
        """Say which run of Dagster a request has become.

        Args:
            transaction: The one that holds the request.
            claimed: The request.
            dagster_run_id: The run.
            own_log: Which Dagster has it; see `dagster_log.which_log`.
        """
        found = FoundRun(dagster_run_id, claimed.run_id, datetime.now(UTC), log=own_log)
        list_runs(transaction, [found])

    def leave_to_queue(self, transaction: Transaction, run_id: UUID) -> None:
        """Leave a request to Dagster's queue, for good."""
        transaction.execute("leave_to_queue", run_id=str(run_id))


def _claimed(row: RowMapping) -> ClaimedRequest:
    return ClaimedRequest(**{name: value for name, value in row.items() if name != "awaits_key"})

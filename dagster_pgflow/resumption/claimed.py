"""What becomes of a continuation that a process has claimed: its Dagster run, or a told reason.

A run that cannot go on now, since its flow cannot run here or Dagster refuses, stays as it is: it
waits, says why, and is tried again later, each time after a longer pause. So it is never lost, and
keeps no other from going on.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import dagster as dg

from dagster_pgflow.dagster_log.changed_runs import found_run
from dagster_pgflow.errors import PgflowError, StoreAccessDenied
from dagster_pgflow.json_values.storable import storable
from dagster_pgflow.launching.origins import Origins
from dagster_pgflow.model.run_cursor import FoundRun
from dagster_pgflow.resumption.continuing import (
    PinnedTo,
    cancel_waiting,
    continue_run,
    pinned_to,
    run_before,
)
from dagster_pgflow.store.continuations import Continuation, Continuations
from dagster_pgflow.store.database import Transaction

LONGEST_REASON: Final = 2_000


@dataclass(frozen=True)
class GoneOn:
    """The Dagster run of a continuation.

    Attributes:
        run: The run.
        pinned: What it executes; `None` where it executes nothing.
    """

    run: dg.DagsterRun
    pinned: PinnedTo | None


@dataclass(frozen=True)
class NotYet:
    """A continuation that has no Dagster run of this process.

    Attributes:
        reason: Why not, for people; `None` where another one is to make it.
    """

    reason: str | None


@dataclass(frozen=True)
class ClaimedRuns:
    """Makes the Dagster runs of continuations.

    Attributes:
        instance: The Dagster instance.
        continuations: Where they are claimed.
        job: Returns the job of a flow as of a watermark.
        origins: The code location that has the flows' handlers.
        sensor: The request sensor.
        announce: Has the projection look at a run.
        own_log: Which Dagster that is; see `log_of`.
    """

    instance: dg.DagsterInstance
    continuations: Continuations
    job: Callable[[str, int], dg.JobDefinition]
    origins: Origins
    sensor: str
    announce: Callable[[FoundRun], None]
    own_log: str | None

    def make(
        self,
        transaction: Transaction,
        claimed: Continuation,
        is_for_queue: Callable[[Mapping[str, str]], bool] = lambda _: False,
    ) -> GoneOn | NotYet:
        """Make the Dagster run of a continuation, or say why it has none.

        Args:
            transaction: The one that holds the continuation.
            claimed: The continuation.
            is_for_queue: Returns whether a run with certain tags is left to Dagster's queue.

        Raises:
            StoreError: The store has a trouble that is no run's own.
        """
        try:
            return self._made(transaction, claimed, is_for_queue)
        except Exception as error:
            if isinstance(error, StoreAccessDenied) or getattr(error, "trouble", None):
                # That says nothing about this run, and is the same for all.
                raise
            reason = reason_of(error)
        self.continuations.postpone(transaction, claimed.run_id, claimed.number, reason)
        return NotYet(f"Run {claimed.run_id} cannot go on, and is tried again later: {reason}")

    def _made(
        self,
        transaction: Transaction,
        claimed: Continuation,
        is_for_queue: Callable[[Mapping[str, str]], bool],
    ) -> GoneOn | NotYet:
        before = run_before(self.instance, claimed)
        if claimed.kind == "cancel":
            return self._announced(cancel_waiting(self.instance, claimed, before, self.sensor))
        pinned = pinned_to(self.instance, before)
        job = self.job(pinned.flow_slug, pinned.watermark)
        if is_for_queue({**job.run_tags, **before.tags}):
            self.continuations.leave_to_queue(
                transaction, claimed.run_id, claimed.number, at_once=True
            )
            return NotYet(None)
        run = continue_run(
            self.instance, claimed, before, job, origins=self.origins, sensor=self.sensor
        )
        return self._announced(run, pinned)

    def _announced(self, run: dg.DagsterRun, pinned: PinnedTo | None = None) -> GoneOn | NotYet:
        record = self.instance.get_run_record_by_id(run.run_id)
        if record is None:
            return NotYet(f"Run {run.run_id} was deleted in Dagster as soon as it was made.")
        self.announce(found_run(record, self.own_log))
        return GoneOn(record.dagster_run, pinned)


def reason_of(error: Exception) -> str:
    """Return what an error says, in a form that can be stored and shown anywhere."""
    text = str(error) if isinstance(error, PgflowError) else f"{type(error).__name__}: {error}"
    return str(storable(text[:LONGEST_REASON]))

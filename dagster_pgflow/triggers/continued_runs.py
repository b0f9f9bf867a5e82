"""Runs that go on where no live worker sees to it: the request sensor makes their Dagster runs.

As with flows that are no jobs (`created_runs`), the run is there before the daemon is asked to
submit it, under a key by which the daemon finds it. Where the sensor, or the daemon, ends in
between, the run waits in Dagster as "not started", and a later tick comes upon it again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import dagster as dg

from dagster_pgflow.dagster_log.which_log import log_of
from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.model.run_cursor import FoundRun
from dagster_pgflow.names import TAG_RUN_ID
from dagster_pgflow.resumption.claimed import ClaimedRuns, GoneOn, NotYet
from dagster_pgflow.resumption.continuing import run_key
from dagster_pgflow.store.continuations import Continuation, Continuations
from dagster_pgflow.store.database import Database, Transaction
from dagster_pgflow.triggers.created_runs import CreatedRuns


@dataclass
class ContinuedRuns:
    """Goes on with runs for a sensor.

    Attributes:
        database: The store.
        created: Creates runs for the same sensor.
        announce: Has the projection look at a run.
        reason_without_job: Returns why a flow can have no job, if it cannot.
    """

    database: Database
    created: CreatedRuns
    announce: Callable[[FoundRun], None]
    reason_without_job: Callable[[str], str | None] = lambda _: None
    _has_looked: bool = field(default=False, init=False)

    def run_requests(
        self, context: dg.SensorEvaluationContext, most: int, is_over: Callable[[], bool]
    ) -> Iterator[dg.RunRequest]:
        """Yield what Dagster's daemon shall submit.

        The first time, those are tried as well that could not go on before: the code location has
        just been loaded.

        Args:
            context: That of the tick.
            most: How many runs go on at most.
            is_over: Returns whether the tick has taken as long as it may.
        """
        if not self._has_looked:
            Continuations(self.database).try_again()
            self._has_looked = True
        own_log = log_of(context.instance)
        for _ in range(most):
            if is_over():
                return
            going_on = self.database.run(
                lambda transaction: self._next(context, transaction, own_log), is_repeatable=False
            )
            if going_on is None:
                return
            claimed, made = going_on
            if isinstance(made, NotYet):
                context.log.warning("%s", made.reason)
            elif made.run.status is dg.DagsterRunStatus.NOT_STARTED:
                yield self._submission(claimed)

    def _next(
        self,
        context: dg.SensorEvaluationContext,
        transaction: Transaction,
        own_log: str | None,
    ) -> tuple[Continuation, GoneOn | NotYet] | None:
        continuations = Continuations(self.database)
        claimed = continuations.next(transaction, in_queue=True, own_log=own_log)
        if claimed is None:
            return None
        # From now on it is the daemon's, and no live worker comes upon it.
        continuations.leave_to_queue(transaction, claimed.run_id, claimed.number)
        runs = ClaimedRuns(
            context.instance,
            continuations,
            self._job,
            self.created.origins(context),
            self.created.sensor,
            self.announce,
            own_log,
        )
        return claimed, runs.make(transaction, claimed)

    def _job(self, flow_slug: str, watermark: int) -> dg.JobDefinition:
        reason = self.reason_without_job(flow_slug)
        if reason is not None:
            raise ConfigurationError(reason)
        _, job = self.created.pinned(flow_slug, watermark)
        return job

    def _submission(self, claimed: Continuation) -> dg.RunRequest:
        return dg.RunRequest(
            run_key(claimed),
            job_name=self.created.stand_in.name,
            tags={TAG_RUN_ID: str(claimed.run_id)},
        )

"""What each process that serves a code location has: opened before the fork, connected after."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import dagster as dg

from dagster_pgflow.dagster_log.remembered_records import RememberedRecords
from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.live.messages import Message
from dagster_pgflow.live.target import ServedLocation
from dagster_pgflow.location.pinned_jobs import PinnedJobs
from dagster_pgflow.projection.sync.own_log import Pins
from dagster_pgflow.projection.sync.projector import Projector, pins_of
from dagster_pgflow.projection.sync.store import ProjectionStore


@dataclass(frozen=True)
class Serving:
    """A code location that is imported, and a Dagster that is open.

    Attributes:
        served: The code location.
        instance: The Dagster instance.
        jobs: The jobs that ran lately.
        worker_id: The live worker.
        report: Tells the supervisor.
        store: What the projection works with.
        pins: The definitions that the projection used lately.
    """

    served: ServedLocation
    instance: dg.DagsterInstance
    jobs: PinnedJobs
    worker_id: UUID
    report: Callable[[Message], bool]
    store: ProjectionStore
    pins: Pins

    @classmethod
    def of(
        cls,
        served: ServedLocation,
        instance: dg.DagsterInstance,
        worker_id: UUID,
        report: Callable[[Message], bool],
    ) -> "Serving":
        """Put together what a process that serves needs."""
        store = served.location.projection_store()
        jobs = PinnedJobs(served.location.pinned_job)
        return cls(served, instance, jobs, worker_id, report, store, pins_of(store))

    def job(self, flow_slug: str, watermark: int) -> dg.JobDefinition:
        """Return the job of a flow as of a watermark.

        Raises:
            ConfigurationError: It can have none here.
            UnknownFlow: There was no such flow.
            StoreError: It could not be read.
        """
        reason = self.served.location.reason_without_job(flow_slug)
        if reason is not None:
            raise ConfigurationError(reason)
        return self.jobs.get(flow_slug, watermark).job

    def projector(self, records: RememberedRecords | None = None) -> Projector:
        """Return what writes the rows of runs.

        Args:
            records: Remembers what was read of them.
        """
        return Projector(self.instance, self.store, self.pins, records=records)

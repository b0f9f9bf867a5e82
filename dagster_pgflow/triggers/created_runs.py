"""Runs that the request sensor creates itself: of flows, or versions, that are no job in Dagster.

A sensor can only ask for runs of jobs that its code location lists, and the daemon then creates
them. But the daemon first looks whether a run with the request's key is there already, as after a
crash, and submits the one that it finds. So the sensor creates the run, pinned to the version that
was asked for, and asks for it by its key. From there it goes the way of every run: the run
coordinator of the deployment, its queue and limits, its launcher. Where the sensor ends half-way,
the run waits in Dagster as "not started", and a later tick asks for it again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import dagster as dg

from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.launching.compat import SENSOR_NAME_TAG
from dagster_pgflow.launching.flow_runs import create_flow_run, dagster_run_id
from dagster_pgflow.launching.origins import Origins, origins_of
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import TAG_RUN_ID, TAG_RUN_KEY
from dagster_pgflow.store.requests import RunRequested

Pinned = Callable[[str, int], tuple[Mapping[str, Flow], dg.JobDefinition]]
"""Returns a flow as of a watermark, with what it contains, and its job; more than once."""


@dataclass
class CreatedRuns:
    """Creates runs for a sensor.

    Attributes:
        sensor: The name of the sensor.
        pinned: Returns flows and jobs as of a watermark.
        stand_in: The job of the code location that the sensor asks for in place of theirs.
    """

    sensor: str
    pinned: Pinned
    stand_in: dg.JobDefinition
    _origins: Origins | None = field(default=None, init=False)

    def flows(self, request: RunRequested) -> Mapping[str, Flow]:
        """Return the flows that the run of a request executes.

        Raises:
            UnknownFlow: There was no such flow.
            StoreError: They could not be read.
        """
        flows, _ = self.pinned(request.flow_slug, request.version_id)
        return flows

    def create(
        self, context: dg.SensorEvaluationContext, request: RunRequested, asked: dg.RunRequest
    ) -> dg.RunRequest:
        """Create the run of a request, and return what has the daemon submit it.

        Args:
            context: That of the tick.
            request: The request.
            asked: The run that it asks for, of the flow's own job.

        Raises:
            ConfigurationError: The tick comes from nobody who could submit the run.
            DagsterError: The run cannot be created, or the code server does not answer.
        """
        _, job = self.pinned(request.flow_slug, request.version_id)
        create_flow_run(
            context.instance,
            job,
            self.origins(context),
            watermark=request.version_id,
            run_id=dagster_run_id(request.run_id),
            run_config=asked.run_config,
            tags={
                **asked.tags,
                SENSOR_NAME_TAG: self.sensor,
                TAG_RUN_KEY: str(request.run_id),
            },
        )
        return self.submission(request)

    def submission(self, request: RunRequested) -> dg.RunRequest:
        """Return what has the daemon submit the run of a request that is there already."""
        run_id = str(request.run_id)
        return dg.RunRequest(run_id, job_name=self.stand_in.name, tags={TAG_RUN_ID: run_id})

    def awaits_submission(self, run: dg.DagsterRun) -> bool:
        """Return whether a run was created for this sensor and nobody has submitted it."""
        is_ours = run.tags.get(SENSOR_NAME_TAG) == self.sensor and TAG_RUN_KEY in run.tags
        return is_ours and run.status is dg.DagsterRunStatus.NOT_STARTED

    def origins(self, context: dg.SensorEvaluationContext) -> Origins:
        """Return where runs come from that are created for this sensor.

        Raises:
            ConfigurationError: The tick comes from nobody who could submit a run.
        """
        if self._origins is None:
            origin, repository = context.code_location_origin, context.repository_def
            if origin is None or repository is None:
                raise ConfigurationError(
                    "This run is of no job of the code location as it was loaded, and only a tick"
                    " of Dagster's daemon can start it."
                )
            self._origins = origins_of(origin, repository)
        return self._origins

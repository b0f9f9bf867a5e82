"""Submits a run to Dagster that goes on with another one.

It is what "re-execute from failure" of its web UI does, but for the steps: those it chooses itself.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import dagster as dg

from dagster_pgflow.cli.code_location import opened_code_location
from dagster_pgflow.cli.compat import (
    PARENT_RUN_ID_TAG,
    RESUME_RETRY_TAG,
    ROOT_RUN_ID_TAG,
    TAGS_TO_MAYBE_OMIT_ON_RETRY,
    CodeLocation,
    JobSubsetSelector,
    RemoteJob,
    RemoteJobOrigin,
    WorkspaceRequestContext,
)
from dagster_pgflow.cli.dagster_instance import known_run, without_passwords
from dagster_pgflow.compat import ExecutionPlanSnapshot, KnownExecutionState
from dagster_pgflow.errors import ConfigurationError, StoreRefused
from dagster_pgflow.names import TAG_WATERMARK
from dagster_pgflow.resumption.choice import choose
from dagster_pgflow.resumption.ending import end_at_once
from dagster_pgflow.resumption.past import Past, past_of

PATIENCE_S = 120.0
"""A code location may take a fifth of its time to load, so what is new may wait five loads long."""
POLL_S = 1.0
REPEATABLE = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


def failed_run(instance: dg.DagsterInstance, dagster_run_id: UUID) -> dg.DagsterRun:
    """Return a run of Dagster that can be repeated.

    Raises:
        StoreRefused: Dagster does not have it any more, it is not over, or another run goes on
            with it.
    """
    run = known_run(instance, dagster_run_id)
    if run.status not in REPEATABLE:
        raise StoreRefused(
            f"Run {run.run_id} is {run.status.value.lower()} in Dagster; only a run that failed or"
            " was cancelled can be repeated."
        )
    repeats = instance.get_runs(dg.RunsFilter(tags={PARENT_RUN_ID_TAG: run.run_id}))
    later = next((one for one in repeats if one.step_keys_to_execute is not None), None)
    if later is not None:
        shown = later.run_id[:8]
        what = "repeats that one" if later.status in REPEATABLE else "shows how it does"
        verb = "retry" if later.status in REPEATABLE else "status"
        raise StoreRefused(
            f"Run {run.run_id} went on as run {later.run_id} already, which is"
            f" {later.status.value.lower()} in Dagster; `dagster-pgflow {verb} {shown}` {what}."
        )
    return run


def watermark_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> int:
    """Return what pins the definitions that a run executed."""
    tags = run.tags
    if run.job_snapshot_id is not None:
        # Those of the run itself may be those of the run that it repeated.
        tags = dict(instance.get_job_snapshot(run.job_snapshot_id).tags)
    return int(tags[TAG_WATERMARK])


def submit_again(instance: dg.DagsterInstance, run: dg.DagsterRun, watermark: int) -> UUID:
    """Submit a run of what is left to do of another run, and return its id in Dagster.

    A code location that still has older definitions is given some time to load those of today.

    Args:
        instance: The Dagster instance.
        run: The other run.
        watermark: The definitions of today.

    Raises:
        ConfigurationError: The code location does not answer, refuses, or stays behind.
        ResumptionRefused: Nobody knows what is done.
    """
    origin = run.remote_job_origin
    if origin is None:
        raise ConfigurationError(
            f"Run {run.run_id} was not started by a Dagster deployment, so it cannot be repeated"
            " in one; start a new run."
        )
    repetition = _Repetition(instance, run, origin, past_of(instance, run))
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with opened_code_location(
            instance, origin.repository_origin.code_location_origin
        ) as workspace:
            again = repetition.submitted(workspace, watermark)
        if again is not None:
            return UUID(again.run_id)
        if time.monotonic() > deadline:
            raise ConfigurationError(
                f'The code location has not loaded the newest version of flow "{run.job_name}";'
                " reload it in the Dagster UI, or turn on the sensor whose name ends in _catalog."
            )
        time.sleep(POLL_S)


@dataclass(frozen=True)
class _Repetition:
    """A run that goes on with another one.

    Attributes:
        instance: The Dagster instance.
        before: The other run.
        origin: The job of that.
        past: What has been done.
    """

    instance: dg.DagsterInstance
    before: dg.DagsterRun
    origin: RemoteJobOrigin
    past: Past

    def submitted(self, workspace: WorkspaceRequestContext, watermark: int) -> dg.DagsterRun | None:
        """Submit the run, unless the code location has older definitions."""
        repository = self.origin.repository_origin
        try:
            location = workspace.get_code_location(repository.code_location_origin.location_name)
            job = location.get_job(
                JobSubsetSelector(
                    location_name=location.name,
                    repository_name=repository.repository_name,
                    job_name=self.before.job_name,
                    op_selection=self.before.op_selection,
                )
            )
            if int(job.tags[TAG_WATERMARK]) < watermark:
                return None
            again = self._created(workspace, location, job)
            if not again.step_keys_to_execute:
                end_at_once(self.instance, again)
                return again
            return self.instance.submit_run(again.run_id, workspace)
        except Exception as error:
            reason = without_passwords(error)
            raise ConfigurationError(f"Dagster refuses to repeat this run: {reason}") from error

    def _created(
        self, workspace: WorkspaceRequestContext, location: CodeLocation, job: RemoteJob
    ) -> dg.DagsterRun:
        """Create the run, as Dagster does for the steps that it chooses itself."""
        config = self.before.run_config

        def planned(
            state: KnownExecutionState | None, step_keys: Sequence[str] | None = None
        ) -> ExecutionPlanSnapshot:
            plan = location.get_execution_plan(job, config, step_keys, state, self.instance)
            return plan.execution_plan_snapshot

        chosen = choose(self.past, planned)
        tags = self._tags()
        return self.instance.create_run(
            job_name=self.before.job_name,
            run_id=None,
            run_config=config,
            resolved_op_selection=self.before.resolved_op_selection,
            step_keys_to_execute=chosen.step_keys,
            status=dg.DagsterRunStatus.NOT_STARTED,
            tags={**job.tags, **tags},
            root_run_id=tags[ROOT_RUN_ID_TAG],
            parent_run_id=self.before.run_id,
            job_snapshot=job.job_snapshot,
            execution_plan_snapshot=planned(chosen.state, chosen.step_keys),
            parent_job_snapshot=job.parent_job_snapshot,
            op_selection=self.before.op_selection,
            asset_selection=job.asset_selection,
            asset_check_selection=job.asset_check_selection,
            remote_job_origin=job.get_remote_origin(),
            job_code_origin=job.get_python_origin(),
            asset_graph=workspace.asset_graph,
        )

    def _tags(self) -> dict[str, str]:
        run_id = self.before.run_id
        kept = {
            key: value
            for key, value in self.before.tags.items()
            if key not in TAGS_TO_MAYBE_OMIT_ON_RETRY
        }
        first = self.before.root_run_id or run_id
        return {
            **kept,
            PARENT_RUN_ID_TAG: run_id,
            ROOT_RUN_ID_TAG: first,
            RESUME_RETRY_TAG: "true",
        }

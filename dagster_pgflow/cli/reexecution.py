"""Submits a run to Dagster that goes on with another one.

It is what "re-execute from failure" of its web UI does, but for the steps: those it chooses itself.
"""

import time
from dataclasses import dataclass
from uuid import UUID

import dagster as dg

from dagster_pgflow.cli.code_location import opened_code_location
from dagster_pgflow.cli.compat import WorkspaceRequestContext
from dagster_pgflow.cli.dagster_instance import known_run, without_passwords
from dagster_pgflow.cli.job_of_run import JobNotListed, JobOfRun, job_of_run
from dagster_pgflow.dagster_log.earlier_runs import earlier_runs
from dagster_pgflow.dagster_log.pinned_tags import pinned_tags
from dagster_pgflow.errors import ConfigurationError, StoreRefused
from dagster_pgflow.launching.compat import PARENT_RUN_ID_TAG
from dagster_pgflow.names import TAG_WATERMARK, own_tag
from dagster_pgflow.resumption.completed import CompletedSteps, completed_in
from dagster_pgflow.resumption.ending import end_at_once
from dagster_pgflow.resumption.resume_plan import resume_plan
from dagster_pgflow.resumption.tags import first_of, tags_of_next

LOAD_TIMEOUT_S = 120.0
"""A code location may take a fifth of its time to load, so what is new may wait five loads long."""
LISTED_TIMEOUT_S = 30.0
"""A flow that was stored just now is a job in a moment; one that is none stays so."""
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
        what = "repeats that one" if later.status in REPEATABLE else "shows its progress"
        verb = "retry" if later.status in REPEATABLE else "status"
        raise StoreRefused(
            f"Run {run.run_id} was continued already by run {later.run_id}, which is"
            f" {later.status.value.lower()} in Dagster; `dagster-pgflow {verb} {shown}` {what}."
        )
    return run


def watermark_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> int:
    """Return what pins the definitions that a run executed."""
    return int(own_tag(pinned_tags(instance, run), TAG_WATERMARK) or "")


def submit_again(instance: dg.DagsterInstance, run: dg.DagsterRun, watermark: int) -> UUID:
    """Submit a run of what is left to do of another run, and return its id in Dagster.

    A code location that still has older definitions is given some time to load those of today.

    Args:
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
    repetition = _Repetition(instance, run, completed_in(earlier_runs(instance, run)))
    begun = time.monotonic()
    while True:
        with opened_code_location(
            instance, origin.repository_origin.code_location_origin
        ) as workspace:
            again = repetition.submitted(
                workspace, watermark, is_last=time.monotonic() - begun > LISTED_TIMEOUT_S
            )
        if again is not None:
            return UUID(again.run_id)
        if time.monotonic() - begun > LOAD_TIMEOUT_S:
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
        completed: What has been done.
    """

    instance: dg.DagsterInstance
    before: dg.DagsterRun
    completed: CompletedSteps

    def submitted(
        self, workspace: WorkspaceRequestContext, watermark: int, *, is_last: bool
    ) -> dg.DagsterRun | None:
        """Submit the run, unless the code location has older definitions, or none yet.

        Args:
            workspace: Has the code location.
            watermark: The definitions of today.
            is_last: Whether a flow that is not listed now is not waited for.
        """
        try:
            job = job_of_run(self.instance, workspace, self.before, watermark)
            if job is None:
                return None
            again = self._created(job)
            if not again.step_keys_to_execute:
                end_at_once(self.instance, again)
                return again
            return self.instance.submit_run(again.run_id, workspace)
        except JobNotListed:
            if is_last:
                raise
            return None
        except ConfigurationError:
            raise
        except Exception as error:
            reason = without_passwords(error)
            raise ConfigurationError(f"Dagster refuses to repeat this run: {reason}") from error

    def _created(self, job: JobOfRun) -> dg.DagsterRun:
        """Create the run, as Dagster does for the steps that it chooses itself."""
        chosen = resume_plan(self.completed, job.planned)
        return self.instance.create_run(
            job_name=self.before.job_name,
            run_id=None,
            run_config=self.before.run_config,
            resolved_op_selection=self.before.resolved_op_selection,
            step_keys_to_execute=chosen.step_keys,
            status=dg.DagsterRunStatus.NOT_STARTED,
            tags={**job.tags, **tags_of_next(self.before)},
            root_run_id=first_of(self.before),
            parent_run_id=self.before.run_id,
            execution_plan_snapshot=job.planned(chosen.state, chosen.step_keys),
            op_selection=self.before.op_selection,
            **job.given,
        )

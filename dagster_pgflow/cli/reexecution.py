"""Submits the repetition of a run to Dagster, as "re-execute from failure" of its web UI does."""

import time
from uuid import UUID

import dagster as dg

from dagster_pgflow.cli.code_location import opened_code_location
from dagster_pgflow.cli.compat import (
    JobSubsetSelector,
    ReexecutionStrategy,
    RemoteJobOrigin,
    WorkspaceRequestContext,
)
from dagster_pgflow.cli.dagster_instance import known_run, without_passwords
from dagster_pgflow.errors import ConfigurationError, StoreRefused
from dagster_pgflow.names import TAG_WATERMARK

PATIENCE_S = 120.0
"""A code location may take a fifth of its time to load, so what is new may wait five loads long."""
POLL_S = 1.0
REPEATABLE = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


def failed_run(instance: dg.DagsterInstance, dagster_run_id: UUID) -> dg.DagsterRun:
    """Return a run of Dagster that can be repeated.

    Raises:
        StoreRefused: Dagster does not have it any more, or it is not over.
    """
    run = known_run(instance, dagster_run_id)
    if run.status not in REPEATABLE:
        raise StoreRefused(
            f"Run {run.run_id} is {run.status.value.lower()} in Dagster; only a run that failed or"
            " was cancelled can be repeated."
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
    """Submit a run of what has not completed in another run, and return its id in Dagster.

    A code location that still has older definitions is given some time to load those of today.

    Args:
        instance: The Dagster instance.
        run: The other run.
        watermark: The definitions of today.

    Raises:
        ConfigurationError: The code location does not answer, refuses, or stays behind.
    """
    origin = run.remote_job_origin
    if origin is None:
        raise ConfigurationError(
            f"Run {run.run_id} was not started by a Dagster deployment, so it cannot be repeated"
            " in one; start a new run."
        )
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with opened_code_location(
            instance, origin.repository_origin.code_location_origin
        ) as workspace:
            again = _submitted(instance, workspace, run, origin, watermark)
        if again is not None:
            return UUID(again.run_id)
        if time.monotonic() > deadline:
            raise ConfigurationError(
                f'The code location has not loaded the newest version of flow "{run.job_name}";'
                " reload it in the Dagster UI, or turn on the sensor whose name ends in _catalog."
            )
        time.sleep(POLL_S)


def _submitted(
    instance: dg.DagsterInstance,
    workspace: WorkspaceRequestContext,
    run: dg.DagsterRun,
    origin: RemoteJobOrigin,
    watermark: int,
) -> dg.DagsterRun | None:
    """Submit the run, unless the code location has older definitions."""
    repository = origin.repository_origin
    try:
        location = workspace.get_code_location(repository.code_location_origin.location_name)
        job = location.get_job(
            JobSubsetSelector(
                location_name=location.name,
                repository_name=repository.repository_name,
                job_name=run.job_name,
                op_selection=None,
            )
        )
        if int(job.tags[TAG_WATERMARK]) < watermark:
            return None
        again = instance.create_reexecuted_run(
            request_context=workspace,
            parent_run=run,
            code_location=location,
            remote_job=job,
            strategy=ReexecutionStrategy.FROM_FAILURE,
            use_parent_run_tags=True,
        )
        return instance.submit_run(again.run_id, workspace)
    except Exception as error:
        reason = without_passwords(error)
        raise ConfigurationError(f"Dagster refuses to repeat this run: {reason}") from error

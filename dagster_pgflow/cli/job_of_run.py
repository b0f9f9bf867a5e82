"""The job of a run that goes on, from the code location or, where it lists none, from its code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import dagster as dg

from dagster_pgflow.cli.compat import (
    CodeLocation,
    JobSubsetSelector,
    WorkspaceRequestContext,
    recon_job_from_origin,
)
from dagster_pgflow.compat import ExecutionPlanSnapshot, KnownExecutionState
from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.launching.flow_runs import plan_of
from dagster_pgflow.launching.origins import pinned_load_data
from dagster_pgflow.names import TAG_WATERMARK, own_tag

_ADVICE = (
    'The code location has no job "%s": it lists only some flows, or has not loaded this one yet.'
    " Repeat the run when it is a job (the tag job=true makes it one), or call this where the code"
    " of the location is."
)


class JobNotListed(ConfigurationError):
    """The code location lists no such job, now, and its code cannot be loaded here."""


class Planned(Protocol):
    """Returns the plan of some steps, or of all."""

    def __call__(
        self, state: KnownExecutionState | None, step_keys: Sequence[str] | None = None
    ) -> ExecutionPlanSnapshot:
        """Return the plan.

        Args:
            state: What the runs before have done.
            step_keys: The steps; all without them.
        """


@dataclass(frozen=True)
class JobOfRun:
    """What a run takes from its job.

    Attributes:
        tags: The tags of the job.
        planned: Returns plans.
        given: What `DagsterInstance.create_run` wants to know of the job besides.
    """

    tags: Mapping[str, str]
    planned: Planned
    given: Mapping[str, Any]


def job_of_run(
    instance: dg.DagsterInstance,
    workspace: WorkspaceRequestContext,
    run: dg.DagsterRun,
    watermark: int,
) -> JobOfRun | None:
    """Return the job of a run as it is today; `None` while the code location has an older one.

    Args:
        instance: The Dagster instance.
        workspace: Has the code location of the run.
        run: The run.
        watermark: The definitions of today.

    Raises:
        JobNotListed: The location does not list the job, and its code cannot be loaded here.
    """
    origin = run.remote_job_origin
    if origin is None:
        raise ConfigurationError(f"Run {run.run_id} belongs to no code location.")
    of_location = origin.repository_origin
    location = workspace.get_code_location(of_location.code_location_origin.location_name)
    if location.get_repository(of_location.repository_name).has_job(run.job_name):
        found = _listed(instance, workspace, location, of_location.repository_name, run)
        return None if int(own_tag(found.tags, TAG_WATERMARK) or "") < watermark else found
    return _from_code(instance, run, watermark)


def _listed(
    instance: dg.DagsterInstance,
    workspace: WorkspaceRequestContext,
    location: CodeLocation,
    repository: str,
    run: dg.DagsterRun,
) -> JobOfRun:
    job = location.get_job(
        JobSubsetSelector(
            location_name=location.name,
            repository_name=repository,
            job_name=run.job_name,
            op_selection=run.op_selection,
        )
    )

    def planned(
        state: KnownExecutionState | None, step_keys: Sequence[str] | None = None
    ) -> ExecutionPlanSnapshot:
        plan = location.get_execution_plan(job, run.run_config, step_keys, state, instance)
        return plan.execution_plan_snapshot

    return JobOfRun(
        job.tags,
        planned,
        {
            "job_snapshot": job.job_snapshot,
            "parent_job_snapshot": job.parent_job_snapshot,
            "asset_selection": job.asset_selection,
            "asset_check_selection": job.asset_check_selection,
            "remote_job_origin": job.get_remote_origin(),
            "job_code_origin": job.get_python_origin(),
            "asset_graph": workspace.asset_graph,
        },
    )


def _from_code(instance: dg.DagsterInstance, run: dg.DagsterRun, watermark: int) -> JobOfRun:
    """Return the job of a flow that the location does not list, loaded in this process."""
    advice = _ADVICE % run.job_name
    if run.job_code_origin is None or run.op_selection:
        raise JobNotListed(advice)
    load_data = pinned_load_data(None, watermark)
    code = recon_job_from_origin(run.job_code_origin)
    try:
        job = code.with_repository_load_data(load_data).get_definition()
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise JobNotListed(f"{advice} Here it does not load: {why}") from error

    def planned(
        state: KnownExecutionState | None, step_keys: Sequence[str] | None = None
    ) -> ExecutionPlanSnapshot:
        return plan_of(instance, job, load_data, run.run_config, step_keys=step_keys, state=state)

    return JobOfRun(
        job.run_tags,
        planned,
        {
            "job_snapshot": job.get_job_snapshot(),
            "parent_job_snapshot": job.get_parent_job_snapshot(),
            "asset_selection": None,
            "asset_check_selection": None,
            "remote_job_origin": run.remote_job_origin,
            "job_code_origin": run.job_code_origin,
            "asset_graph": job.asset_layer.asset_graph,
        },
    )

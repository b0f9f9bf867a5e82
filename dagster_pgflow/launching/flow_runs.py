"""A run of a flow, created in Dagster by a process of ours instead of Dagster's daemon.

The run has all that the daemon would give it: snapshots of its job and of its plan, so that the web
UI shows its graph, and origins, so that every run launcher can launch it. The job need not be one
of its code location. What pins it is its own: the processes of a run read from the snapshot of its
plan how to load the code location, and that snapshot is made here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

import dagster as dg

from dagster_pgflow.compat import ExecutionPlanSnapshot, KnownExecutionState
from dagster_pgflow.launching.compat import (
    RepositoryLoadData,
    create_execution_plan,
    snapshot_from_execution_plan,
)
from dagster_pgflow.launching.origins import Origins

_ROLE = "dagster_run"
"""What the id of a run in Dagster is derived with; it stays what it is."""


def dagster_run_id(run_id: UUID) -> UUID:
    """Return the id that the run of a request has in Dagster, whoever creates it.

    Two that create it at once cannot both.

    Args:
        run_id: The request.
    """
    return uuid5(run_id, _ROLE)


@dataclass(frozen=True)
class LeftOver:
    """What a run executes that goes on with another one.

    Attributes:
        parent_run_id: The run before it.
        root_run_id: The first of them.
        step_keys: What is left to do.
        state: What it takes over.
    """

    parent_run_id: str
    root_run_id: str
    step_keys: Sequence[str]
    state: KnownExecutionState


def plan_of(
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    load_data: RepositoryLoadData | None,
    run_config: Mapping[str, Any],
    *,
    tags: Mapping[str, str] | None = None,
    step_keys: Sequence[str] | None = None,
    state: KnownExecutionState | None = None,
) -> ExecutionPlanSnapshot:
    """Return the plan of a run, as Dagster keeps it.

    Args:
        instance: Where it is to run.
        job: Its job.
        load_data: What its processes get to hear of how the code location was loaded.
        run_config: Its config.
        tags: Its tags.
        step_keys: The steps that it executes; all without them.
        state: What it takes over from the runs before it.
    """
    plan = create_execution_plan(
        job,
        run_config,
        step_keys_to_execute=step_keys,
        known_state=state,
        instance_ref=instance.get_ref() if instance.is_persistent else None,
        tags=tags,
        repository_load_data=load_data,
    )
    return snapshot_from_execution_plan(plan, job.get_job_snapshot_id())


def create_flow_run(
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    origins: Origins,
    *,
    watermark: int,
    run_id: UUID,
    run_config: Mapping[str, Any],
    tags: Mapping[str, str],
    left_over: LeftOver | None = None,
) -> dg.DagsterRun:
    """Create a run, which nobody has launched yet, and return it.

    Args:
        instance: Where.
        job: The job of the flow at the watermark.
        origins: The code location that has the flow's handlers.
        watermark: What the run's processes are pinned to.
        run_id: The id of the run in Dagster.
        run_config: With the flow's input.
        tags: Besides those of the job.
        left_over: What it goes on with; without it all steps are executed.

    Raises:
        DagsterError: There is a run with this id, or the config does not fit.
    """
    all_tags = {**job.run_tags, **tags}
    # Without a list where it is all of them: a run with one is taken for a part of another.
    step_keys = None if left_over is None else left_over.step_keys
    plan = plan_of(
        instance,
        job,
        origins.pinned_to(watermark),
        run_config,
        tags=all_tags,
        step_keys=step_keys,
        state=None if left_over is None else left_over.state,
    )
    return instance.create_run(
        job_name=job.name,
        run_id=str(run_id),
        run_config=run_config,
        status=dg.DagsterRunStatus.NOT_STARTED,
        tags=all_tags,
        root_run_id=None if left_over is None else left_over.root_run_id,
        parent_run_id=None if left_over is None else left_over.parent_run_id,
        step_keys_to_execute=step_keys,
        job_snapshot=job.get_job_snapshot(),
        execution_plan_snapshot=plan,
        parent_job_snapshot=job.get_parent_job_snapshot(),
        asset_selection=None,
        asset_check_selection=None,
        resolved_op_selection=None,
        op_selection=None,
        remote_job_origin=origins.remote_job(job.name),
        job_code_origin=origins.job_code(job.name),
        asset_graph=job.asset_layer.asset_graph,
    )

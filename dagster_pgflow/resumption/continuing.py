"""The Dagster run that goes on with a run which waited, created by a process of ours.

It is one run of ours and a further run of Dagster's: with the tags of the one before, as its parent
and root say to Dagster's web UI, and pinned to the same definitions, whatever was edited meanwhile.
Its id follows from the run and its number, so two processes that create it at once cannot both.
"""

from dataclasses import dataclass

import dagster as dg

from dagster_pgflow.compat import ExecutionPlanSnapshot, KnownExecutionState
from dagster_pgflow.dagster_log.pinned_tags import pinned_tags
from dagster_pgflow.errors import ResumptionRefused
from dagster_pgflow.launching.compat import SENSOR_NAME_TAG, RepositoryLoadData
from dagster_pgflow.launching.flow_runs import LeftOver, create_flow_run, plan_of
from dagster_pgflow.launching.origins import Origins
from dagster_pgflow.names import (
    TAG_CONTINUATION,
    TAG_FLOW,
    TAG_RUN_ID,
    TAG_RUN_KEY,
    TAG_WATERMARK,
    is_broken_graph,
    own_tag,
)
from dagster_pgflow.resumption.ending import end_at_once
from dagster_pgflow.resumption.inside import left_of
from dagster_pgflow.resumption.tags import first_of, tags_of_next
from dagster_pgflow.store.continuations import Continuation

CANCELLED = "The run was cancelled while it waited."


def run_key(continuation: Continuation) -> str:
    """Return what Dagster's daemon knows the Dagster run of a continuation by."""
    return f"{continuation.run_id}:{continuation.number}"


@dataclass(frozen=True)
class PinnedTo:
    """What a run executes, whatever is edited meanwhile.

    Attributes:
        flow_slug: Its flow.
        watermark: The definitions.
    """

    flow_slug: str
    watermark: int


def run_before(instance: dg.DagsterInstance, continuation: Continuation) -> dg.DagsterRun:
    """Return the Dagster run that a continuation goes on with.

    Raises:
        ResumptionRefused: It was deleted.
    """
    run = instance.get_run_by_id(str(continuation.dagster_run_id))
    if run is None:
        raise ResumptionRefused(
            f"Run {continuation.dagster_run_id} was deleted in Dagster, so nobody knows which"
            f" steps of run {continuation.run_id} are done; cancel it, and start a new one."
        )
    return run


def pinned_to(instance: dg.DagsterInstance, run: dg.DagsterRun) -> PinnedTo:
    """Return what a run executes.

    Raises:
        ResumptionRefused: It is no run of a flow, or executes a part of its job.
    """
    if run.op_selection or run.resolved_op_selection:
        raise ResumptionRefused(
            f"Run {run.run_id} executes a selection of ops, and such a run cannot go on when it"
            " has waited; cancel it, and start a new one."
        )
    tags = pinned_tags(instance, run)
    watermark = own_tag(tags, TAG_WATERMARK) or ""
    if TAG_FLOW not in tags or not watermark.isdecimal():
        raise ResumptionRefused(
            f"The job of run {run.run_id} is that of no flow, so it cannot go on; cancel it."
        )
    return PinnedTo(tags[TAG_FLOW], int(watermark))


def continue_run(
    instance: dg.DagsterInstance,
    continuation: Continuation,
    before: dg.DagsterRun,
    job: dg.JobDefinition,
    *,
    origins: Origins,
    sensor: str,
) -> dg.DagsterRun:
    """Return the Dagster run that goes on with a run, making it unless somebody has.

    One of which nothing is left to do is over when it returns; another one nobody has launched,
    unless it was there already.

    Args:
        instance: The Dagster instance.
        continuation: What goes on.
        before: The Dagster run before it; it is over.
        job: The job of the flow, at the watermark of the run before.
        origins: The code location that has the flow's handlers.
        sensor: The request sensor: Dagster's daemon takes the run for one of its.

    Raises:
        ResumptionRefused: Nobody knows what is done, or the flow cannot run here any more.
        DagsterError: The run cannot be created.
    """
    run = instance.get_run_by_id(str(continuation.continues_as))
    if run is None:
        if is_broken_graph(job.graph.name):
            raise ResumptionRefused(job.description or "This flow cannot run.")
        watermark = pinned_to(instance, before).watermark
        run = create_flow_run(
            instance,
            job,
            origins,
            watermark=watermark,
            run_id=continuation.continues_as,
            run_config=before.run_config,
            tags=_tags(continuation, before, sensor),
            left_over=_left_over(
                instance, before, job, origins.pinned_to(watermark), continuation.number
            ),
        )
    if not run.step_keys_to_execute and not run.is_finished:
        end_at_once(instance, run)
    return run


def cancel_waiting(
    instance: dg.DagsterInstance, continuation: Continuation, before: dg.DagsterRun, sensor: str
) -> dg.DagsterRun:
    """Return the Dagster run that says that a run was cancelled while it waited.

    It executes nothing, so it needs neither the flow nor its handlers: its job is that of the run
    before, as Dagster has kept it.

    Args:
        instance: The Dagster instance.
        continuation: What is cancelled.
        before: The Dagster run before; it is over.
        sensor: The request sensor.
    """
    run = instance.get_run_by_id(str(continuation.continues_as))
    if run is None:
        run = _without_steps(instance, continuation, before, sensor)
    if not run.is_finished:
        instance.report_run_canceled(run, message=CANCELLED)
    return run


def _tags(continuation: Continuation, before: dg.DagsterRun, sensor: str) -> dict[str, str]:
    return {
        **tags_of_next(before),
        TAG_RUN_ID: str(continuation.run_id),
        TAG_CONTINUATION: str(continuation.number),
        SENSOR_NAME_TAG: sensor,
        TAG_RUN_KEY: run_key(continuation),
    }


def _left_over(
    instance: dg.DagsterInstance,
    before: dg.DagsterRun,
    job: dg.JobDefinition,
    load_data: RepositoryLoadData | None,
    number: int,
) -> LeftOver:
    def planned(state: KnownExecutionState | None) -> ExecutionPlanSnapshot:
        return plan_of(instance, job, load_data, before.run_config, state=state)

    chosen = left_of(instance, before, planned, same_run=number)
    return LeftOver(before.run_id, first_of(before), list(chosen.step_keys), chosen.state)


def _without_steps(
    instance: dg.DagsterInstance, continuation: Continuation, before: dg.DagsterRun, sensor: str
) -> dg.DagsterRun:
    job_id, plan_id = before.job_snapshot_id, before.execution_plan_snapshot_id
    job = None if job_id is None else instance.get_job_snapshot(job_id)
    plan = None if plan_id is None else instance.get_execution_plan_snapshot(plan_id)
    return instance.create_run(
        job_name=before.job_name,
        run_id=str(continuation.continues_as),
        run_config=before.run_config,
        status=dg.DagsterRunStatus.NOT_STARTED,
        tags=_tags(continuation, before, sensor),
        root_run_id=first_of(before),
        parent_run_id=before.run_id,
        step_keys_to_execute=[],
        job_snapshot=job,
        execution_plan_snapshot=plan,
        parent_job_snapshot=None,
        asset_selection=None,
        asset_check_selection=None,
        resolved_op_selection=None,
        op_selection=None,
        remote_job_origin=before.remote_job_origin,
        job_code_origin=before.job_code_origin,
        asset_graph=dg.GraphDefinition("nothing").to_job().asset_layer.asset_graph,
    )

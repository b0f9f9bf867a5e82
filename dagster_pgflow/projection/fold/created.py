"""The rows of what there is in a run, before anything of it has begun."""

from datetime import datetime
from uuid import UUID

from dagster_pgflow.model.run_state import LogEvent, RunRow, StepRow, SubrunRow, TaskRow
from dagster_pgflow.projection.layout.layout import Layout, Scope, StepPlace
from dagster_pgflow.step_path import RUN


def queued_run(layout: Layout, event: LogEvent) -> RunRow:
    """Return the row of a run that is queued."""
    data = event.event_data
    return RunRow(
        run_id=event.run_id,
        dagster_run_id=_uuid(data["dagster_run_id"]),
        flow_slug=data["flow_slug"],
        flow_version=data["flow_version"],
        version_id=data["version_id"],
        status="queued",
        input=data["input"],
        output=None,
        error_message=None,
        remaining_steps=len(layout.scopes[RUN].steps),
        retry_of=_uuid(data["retry_of"]),
        created_at=event.timestamp,
        started_at=None,
        completed_at=None,
        failed_at=None,
        updated_at=event.timestamp,
    )


def created_subrun(layout: Layout, scope: Scope, at: datetime) -> SubrunRow:
    """Return the row of a subrun that has not begun."""
    parent = layout.scopes[scope.parent or RUN]
    return SubrunRow(
        subrun_path=scope.subrun_path,
        parent_path=parent.subrun_path or None,
        parent_step_slug=layout.steps[scope.step].step.slug,
        subflow_slug=scope.flow_slug,
        run_index=scope.run_index,
        subrun_index=scope.subrun_index,
        map_index=scope.map_index,
        status="created",
        input=None,
        output=None,
        error_message=None,
        created_at=at,
        started_at=None,
        completed_at=None,
        updated_at=at,
        dagster_run_id=None,
    )


def created_step(layout: Layout, place: StepPlace, at: datetime, *, remaining_deps: int) -> StepRow:
    """Return the row of a step that has not begun.

    Args:
        layout: Where everything stands.
        place: Where the step does.
        at: When it is there.
        remaining_deps: How many of the steps that it needs have not ended.
    """
    return StepRow(
        step_path=place.path,
        step_slug=place.step.slug,
        flow_slug=place.flow_slug,
        subrun_path=layout.scopes[place.scope].subrun_path or None,
        step_type=place.step.type,
        status="created",
        skip_reason=None,
        initial_tasks=None if place.is_map or place.has_items else 1,
        remaining_tasks=None,
        remaining_deps=remaining_deps,
        output=None,
        error_message=None,
        created_at=at,
        started_at=None,
        completed_at=None,
        failed_at=None,
        skipped_at=None,
        waiting_for=None,
        waiting_since=None,
        why=None,
    )


def queued_task(step: StepRow, index: int, at: datetime) -> TaskRow:
    """Return the row of a task that has not begun."""
    return TaskRow(
        step_path=step.step_path,
        task_index=index,
        step_slug=step.step_slug,
        flow_slug=step.flow_slug,
        subrun_path=step.subrun_path,
        status="queued",
        attempts_count=0,
        error_message=None,
        output=None,
        queued_at=at,
        started_at=None,
        completed_at=None,
        failed_at=None,
        last_worker_id=None,
    )


def _uuid(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)

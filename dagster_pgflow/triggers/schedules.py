"""Cron rows as Dagster schedules."""

import dagster as dg

from dagster_pgflow.errors import InvalidFlow, Problem
from dagster_pgflow.model.flow import Flow, Schedule
from dagster_pgflow.names import TAG_SCHEDULE, job_name, schedule_name
from dagster_pgflow.triggers.run_request import request_of_schedule
from dagster_pgflow.validation.schedules import problems_of_schedule


def build_schedule(flow: Flow, schedule: Schedule, prefix: str = "") -> dg.ScheduleDefinition:
    """Return the Dagster schedule of a cron row.

    Args:
        prefix: What the names of jobs and schedules begin with.

    Raises:
        InvalidFlow: Dagster can have no such schedule.
    """
    problems = tuple(problems_of_schedule(schedule))
    if problems:
        raise InvalidFlow(flow.slug, problems)
    try:
        # Dagster describes a schedule by short texts: one that can be made can be described.
        return _built(flow, schedule, prefix)
    except dg.DagsterError as error:
        message = f"Dagster refuses this schedule, so it never fires: {error}"
        problem = Problem("refused-schedule", f"schedules.{schedule.slug}", message)
        raise InvalidFlow(flow.slug, [problem]) from error


def _built(flow: Flow, schedule: Schedule, prefix: str) -> dg.ScheduleDefinition:
    def request(_context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        tags = {TAG_SCHEDULE: schedule.slug}
        return request_of_schedule(
            flow.slug, schedule.input, flow.input_schema, tags=tags, job_prefix=prefix
        )

    enabled = schedule.enabled
    return dg.ScheduleDefinition(
        name=schedule_name(flow.slug, schedule.slug, prefix),
        job_name=job_name(flow.slug, prefix),
        cron_schedule=schedule.cron,
        execution_timezone=schedule.timezone,
        execution_fn=request,
        description=f"Row `{schedule.slug}` of pgflow.schedules for flow `{flow.slug}`.",
        default_status=(
            dg.DefaultScheduleStatus.RUNNING if enabled else dg.DefaultScheduleStatus.STOPPED
        ),
    )

"""Cron rows as Dagster schedules."""

import dagster as dg

from dagster_pgflow.errors import InvalidFlow, Problem
from dagster_pgflow.model.flow import Schedule
from dagster_pgflow.names import TAG_SCHEDULE, job_name, schedule_name
from dagster_pgflow.triggers.run_request import flow_run_request
from dagster_pgflow.validation.schedules import problems_of_schedule


def build_schedule(flow_slug: str, schedule: Schedule, prefix: str = "") -> dg.ScheduleDefinition:
    """Return the Dagster schedule of a cron row.

    Args:
        flow_slug: The flow.
        schedule: The row.
        prefix: What the names of jobs and schedules begin with.

    Raises:
        InvalidFlow: Dagster can have no such schedule.
    """
    problems = tuple(problems_of_schedule(schedule))
    if problems:
        raise InvalidFlow(flow_slug, problems)
    try:
        # What Dagster tells of a schedule are short texts: one that can be made can be told of.
        return _built(flow_slug, schedule, prefix)
    except dg.DagsterError as error:
        message = f"Dagster refuses this schedule, so that it never fires: {error}"
        problem = Problem("refused-schedule", f"schedules.{schedule.slug}", message)
        raise InvalidFlow(flow_slug, [problem]) from error


def _built(flow_slug: str, schedule: Schedule, prefix: str) -> dg.ScheduleDefinition:
    def request(_context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        tags = {TAG_SCHEDULE: schedule.slug}
        return flow_run_request(flow_slug, schedule.input, tags=tags, job_prefix=prefix)

    enabled = schedule.enabled
    return dg.ScheduleDefinition(
        name=schedule_name(flow_slug, schedule.slug, prefix),
        job_name=job_name(flow_slug, prefix),
        cron_schedule=schedule.cron,
        execution_timezone=schedule.timezone,
        execution_fn=request,
        description=f"Row `{schedule.slug}` of pgflow.schedules for flow `{flow_slug}`.",
        default_status=(
            dg.DefaultScheduleStatus.RUNNING if enabled else dg.DefaultScheduleStatus.STOPPED
        ),
    )

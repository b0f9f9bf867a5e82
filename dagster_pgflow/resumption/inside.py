"""How a run goes on that lies inside a step of another one."""

import dagster as dg

from dagster_pgflow.dagster_log.earlier_runs import earlier_runs
from dagster_pgflow.resumption.completed import completed_in
from dagster_pgflow.resumption.resume_plan import Planned, ResumePlan, resume_plan


def left_of(instance: dg.DagsterInstance, run: dg.DagsterRun, planned: Planned) -> ResumePlan:
    """Return what is left to do of a run, by it and those that it goes on with.

    Args:
        instance: The Dagster instance.
        run: The run; it is over.
        planned: Plans its job.

    Raises:
        ResumptionRefused: A run that it goes on with was deleted.
    """
    return resume_plan(completed_in(earlier_runs(instance, run)), planned)

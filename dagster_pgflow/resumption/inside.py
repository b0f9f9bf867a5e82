"""How a run goes on that lies inside a step of another one."""

import dagster as dg

from dagster_pgflow.dagster_log.earlier_runs import earlier_runs
from dagster_pgflow.resumption.completed import attempts_lost_in, completed_in
from dagster_pgflow.resumption.resume_plan import Planned, ResumePlan, resume_plan


def left_of(
    instance: dg.DagsterInstance, run: dg.DagsterRun, planned: Planned, same_run: int = 0
) -> ResumePlan:
    """Return what is left to do of a run, by it and those that it goes on with.

    Args:
        instance: The Dagster instance.
        run: The run; it is over.
        planned: Plans its job.
        same_run: How many of these Dagster runs, the newest, are one run with what goes on: its
            steps count their attempts on.

    Raises:
        ResumptionRefused: A run that it goes on with was deleted.
    """
    runs = earlier_runs(instance, run)
    attempts = attempts_lost_in(runs[-same_run:]) if same_run else {}
    return resume_plan(completed_in(runs), planned, attempts)


def left_of_child(instance: dg.DagsterInstance, run: dg.DagsterRun, planned: Planned) -> ResumePlan:
    """Return what is left to do of a run inside a step of another one.

    It and those that it goes on with are parts of one run.

    Args:
        instance: The Dagster instance.
        run: The run; it is over.
        planned: Plans its job.

    Raises:
        ResumptionRefused: A run that it goes on with was deleted.
    """
    runs = earlier_runs(instance, run)
    return resume_plan(completed_in(runs), planned, attempts_lost_in(runs))

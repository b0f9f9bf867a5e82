"""Runs that are killed, cancelled or fail at any moment, and go on: all in this process.

A process that is killed writes nothing any more. So does a run here, from the event on at which it
is to die, while the instance and the store live on.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal
from unittest.mock import patch
from uuid import UUID

import dagster as dg
from dagster._core.execution.api import create_execution_plan, execute_run
from dagster._core.snap import snapshot_from_execution_plan

from dagster_pgflow.compat import ExecutionPlanSnapshot, InMemoryJob, KnownExecutionState
from dagster_pgflow.dagster_log.earlier_runs import earlier_runs
from dagster_pgflow.errors import StoreError
from dagster_pgflow.io_manager import PgflowIOManager
from dagster_pgflow.resources import StoreOfSteps
from dagster_pgflow.resumption.completed import completed_in
from dagster_pgflow.resumption.dagster_plan import known_state, planned_steps
from dagster_pgflow.resumption.ending import end_at_once
from dagster_pgflow.resumption.remaining import remaining_steps

End = Literal["killed", "cancelled", "failed"]
ENDS: tuple[End, ...] = ("killed", "cancelled", "failed")


class Killed(BaseException):
    """The process is no more."""


@dataclass
class Interruption:
    """What ends a run before its time.

    Attributes:
        end: How.
        after: How many events are written before, or how many outputs before it fails.
        has_come: Whether it has.
    """

    end: End
    after: int
    has_come: bool = False
    seen: int = field(default=0)

    def come(self) -> None:
        """Let the end come with the next thing that happens."""
        self.after = self.seen

    def is_due(self) -> bool:
        """Count one thing; return whether the end comes with it."""
        self.seen += 1
        return not self.has_come and self.seen > self.after


@contextmanager
def interrupted(instance: dg.DagsterInstance, interruption: Interruption) -> Iterator[None]:
    """End what runs in this process as an interruption says."""
    storage = instance.event_log_storage
    store_event, put = storage.store_event, PgflowIOManager.handle_output
    remember = StoreOfSteps.remember

    def store(event: Any) -> Any:
        if interruption.end == "failed":
            return store_event(event)
        if interruption.end == "killed" and (interruption.has_come or interruption.is_due()):
            interruption.has_come = True
            raise Killed
        if interruption.end == "cancelled" and interruption.is_due():
            interruption.has_come = True
            instance.report_run_canceling(top_run_of(instance))
            raise dg.DagsterExecutionInterruptedError
        return store_event(event)

    def handle_output(manager: PgflowIOManager, context: Any, obj: Any) -> None:
        if interruption.end == "failed" and interruption.is_due():
            interruption.has_come = True
            raise StoreError("The disk is full.")
        if interruption.end == "killed" and interruption.has_come:
            raise Killed
        put(manager, context, obj)

    def remember_unless_dead(memory: StoreOfSteps, *args: Any) -> None:
        if interruption.end == "killed" and interruption.has_come:
            raise Killed
        remember(memory, *args)

    with (
        patch.object(storage, "store_event", store),
        patch.object(PgflowIOManager, "handle_output", handle_output),
        patch.object(StoreOfSteps, "remember", remember_unless_dead),
    ):
        yield


def top_run_of(instance: dg.DagsterInstance) -> dg.DagsterRun:
    """Return the newest run that is not inside another one."""
    return next(
        run for run in instance.get_runs() if ".dagster/pgflow_parent_run_id" not in run.tags
    )


def first_run(instance: dg.DagsterInstance, job: dg.JobDefinition, config: Any) -> dg.DagsterRun:
    """Create a run of all steps."""
    return instance.create_run_for_job(job, run_config=config, tags=job.run_tags)


def execute(
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    run: dg.DagsterRun,
    interruption: Interruption | None = None,
) -> dg.DagsterRun:
    """Execute a run to whatever end, and return it as it is then.

    What nobody ends, Dagster is told to be dead, as its monitoring of runs does.
    """
    nothing = Interruption("failed", 10**9)
    # Before its first step begins, Dagster lets an interruption through.
    ended = suppress(Killed, dg.DagsterExecutionInterruptedError)
    with interrupted(instance, interruption or nothing), ended:
        if run.step_keys_to_execute == []:
            end_at_once(instance, run)
        else:
            execute_run(InMemoryJob(job), run, instance)
    over = instance.get_run_by_id(run.run_id)
    assert over is not None
    if over.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(over)
    elif not over.is_finished:
        instance.report_run_failed(over, "The process of the run is dead.")
    over = instance.get_run_by_id(run.run_id)
    assert over is not None
    return over


def going_on(
    instance: dg.DagsterInstance, job: dg.JobDefinition, run: dg.DagsterRun
) -> dg.DagsterRun:
    """Create the run with which a run goes on, as `dagster-pgflow retry` does."""
    past = completed_in(earlier_runs(instance, run))
    config = run.run_config
    bare = _snapshot(job, config)
    whole = _snapshot(job, config, None, known_state(past, bare))
    keys = remaining_steps(planned_steps(whole), past)
    return _again(instance, job, run, keys, known_state(past, bare, keys))


def from_failure(
    instance: dg.DagsterInstance, job: dg.JobDefinition, run: dg.DagsterRun
) -> dg.DagsterRun | None:
    """Create the run with which Dagster's UI lets a run go on; none where it refuses to."""
    keys, state = KnownExecutionState.build_resume_retry_reexecution(instance, run)
    return _again(instance, job, run, keys, state) if keys else None


def _snapshot(
    job: dg.JobDefinition,
    config: Any,
    keys: list[str] | None = None,
    state: KnownExecutionState | None = None,
) -> ExecutionPlanSnapshot:
    plan = create_execution_plan(
        InMemoryJob(job), config, step_keys_to_execute=keys, known_state=state
    )
    return snapshot_from_execution_plan(plan, job.get_job_snapshot_id())


def _again(
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    run: dg.DagsterRun,
    keys: Any,
    state: KnownExecutionState,
) -> dg.DagsterRun:
    plan = create_execution_plan(
        InMemoryJob(job), run.run_config, step_keys_to_execute=keys, known_state=state
    )
    return instance.create_run_for_job(
        job,
        execution_plan=plan,
        run_config=run.run_config,
        tags=run.tags,
        parent_run_id=run.run_id,
        root_run_id=run.root_run_id or run.run_id,
    )


def run_id_of(run: dg.DagsterRun) -> UUID:
    """Return the id of a run."""
    return UUID(run.run_id)


def errors_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[str]:
    """Return what the steps of a run say that failed, those of runs inside it not."""
    events = [entry.dagster_event for entry in instance.all_logs(run.run_id)]
    failures = [event.step_failure_data for event in events if event and event.is_step_failure]
    told = [failure.user_failure_data for failure in failures]
    return [str(data.description) for data in told if data is not None]

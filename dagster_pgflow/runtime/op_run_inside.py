"""A Dagster run inside a step of another one: the same process, one step after the other.

No launcher starts it and no queue holds it up, so a run that waits for the runs inside it never
waits for a place that it occupies itself.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final, Protocol
from uuid import uuid4

import dagster as dg

from dagster_pgflow.compat import (
    ExecuteRunWithPlanIterable,
    ExecutionPlanSnapshot,
    InMemoryJob,
    KnownExecutionState,
    PlanOrchestrationContextManager,
    check_captured_interrupt,
    create_execution_plan,
    job_execution_iterator,
    orchestration_context_event_generator,
    snapshot_from_execution_plan,
)
from dagster_pgflow.dagster_log.op_reports import report_of_output
from dagster_pgflow.names import TAG_CHILD_RUN
from dagster_pgflow.reports.report import StepPause
from dagster_pgflow.runtime.kept_outputs import Kept

_STOPPED: Final = (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED)
_RUN_ENDS: Final = {
    dg.DagsterEventType.RUN_SUCCESS: dg.DagsterRunStatus.SUCCESS,
    dg.DagsterEventType.RUN_FAILURE: dg.DagsterRunStatus.FAILURE,
    dg.DagsterEventType.RUN_CANCELED: dg.DagsterRunStatus.CANCELED,
}
_STEP_ENDS: Final = (
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.STEP_SKIPPED,
    dg.DagsterEventType.STEP_UP_FOR_RETRY,
)

LOOK_EVERY_S: Final = 1.0
"""How often a run looks whether somebody cancelled it alone: each look asks the database twice."""


@dataclass(frozen=True)
class RunInside:
    """How a run inside another one went.

    Attributes:
        status: How it ended, by Dagster's word.
        failure: The first failure of a step in it, if any.
        error: Why it failed where no step did.
        was_interrupted: Whether the process was asked to stop meanwhile.
        pauses: What its ops report that can do nothing yet, as steps wait in it.
    """

    status: dg.DagsterRunStatus
    failure: dg.DagsterEvent | None
    error: str | None
    was_interrupted: bool
    pauses: tuple[StepPause, ...] = ()


class Left(Protocol):
    """What is left to do of a run."""

    @property
    def step_keys(self) -> Sequence[str]:
        """The steps, each behind those that feed it."""

    @property
    def state(self) -> KnownExecutionState:
        """What the run that does them takes over."""


Planned = Callable[[KnownExecutionState | None], ExecutionPlanSnapshot]
"""Returns the plan of all steps of a job, as far as is known what they fan out."""

LeftOf = Callable[[dg.DagsterInstance, dg.DagsterRun, Planned], Left]
"""Says what is left to do of a run of a job; `resumption` knows that."""


@dataclass(frozen=True)
class ChildJob:
    """A job that runs inside steps of other jobs.

    Attributes:
        job: As Dagster's UI knows it.
        inside: As it is executed.
        left_of: Says what is left to do of a run of it.
    """

    job: dg.JobDefinition
    inside: dg.JobDefinition
    left_of: LeftOf


def child_job_of(job: dg.JobDefinition, left_of: LeftOf) -> ChildJob:
    """Return a job as it runs inside others.

    Args:
        job: The job.
        left_of: Says what is left to do of a run of it.
    """
    return ChildJob(job, job.with_executor_def(inside_another_run), left_of)


class _InsideAnother(dg.Executor):
    """Dagster's in-process executor, which takes the end of the process for a cancellation.

    The run around it was cancelled, or its process is going down: whichever it is, nobody goes on
    with this run. And it looks between steps whether somebody cancelled it alone.

    Args:
        inner: Dagster's executor.
        said: What the log of the run says then.
        note: Takes note that the process was asked to stop.
    """

    def __init__(self, inner: dg.Executor, said: str, note: Callable[[], None]) -> None:
        self._inner = inner
        self._said = said
        self._note = note
        self.was_interrupted = False

    @property
    def retries(self) -> Any:
        return self._inner.retries

    @property
    def step_dependency_config(self) -> Any:
        return self._inner.step_dependency_config

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[dg.DagsterEvent]:
        instance, run = plan_context.instance, plan_context.dagster_run
        looked_at = time.monotonic()
        try:
            for event in self._inner.execute(plan_context, execution_plan):
                yield event
                if event.event_type not in _STEP_ENDS:
                    continue
                is_due = time.monotonic() - looked_at > LOOK_EVERY_S
                is_stopped = is_due and _is_stopped(instance, run.run_id)
                _end_if(asked=is_stopped or check_captured_interrupt())
                looked_at = time.monotonic() if is_due else looked_at
                if event.event_type is dg.DagsterEventType.STEP_UP_FOR_RETRY:
                    _end_waits_at_once()
        except dg.DagsterExecutionInterruptedError:
            if not _is_stopped(instance, run.run_id):
                self.was_interrupted = True
                self._note()
                instance.report_run_canceling(run, self._said)
            raise


def stoppable(said: str, note: Callable[[], None] = lambda: None) -> dg.ExecutorDefinition:
    """Return an executor that does one step after the other, and may end between two.

    Args:
        said: What the log of a run says that ends so.
        note: Takes note that the process was asked to stop.
    """

    def create_executor(context: dg.InitExecutorContext) -> dg.Executor:
        create = dg.in_process_executor.executor_creation_fn
        assert create is not None  # noqa: S101
        return _InsideAnother(create(context), said, note)

    return dg.ExecutorDefinition(
        name="inside_another_run",
        config_schema=dg.in_process_executor.config_schema.as_field(),
        requirements=None,
        executor_creation_fn=create_executor,
        description="Runs the steps one after the other, in the process of whoever asks.",
    )


inside_another_run = stoppable("The run around this one is being cancelled.")


def new_run(
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    parent: dg.DagsterRun,
    config: Mapping[str, Any],
    tags: Mapping[str, str],
) -> tuple[dg.DagsterRun, Any]:
    """Create a run of a job of the code location that another run belongs to; return its plan too.

    Args:
        instance: The Dagster instance.
        job: The job.
        parent: The other run.
        config: Its run config.
        tags: Its tags, besides those of the job.
    """
    plan = _plan_of(instance, job, config)
    return _created(instance, job, parent, config, tags, plan=plan), plan


def left_of(instance: dg.DagsterInstance, child: ChildJob, before: dg.DagsterRun) -> Left:
    """Return what is left to do of a run of a job that runs inside steps of others.

    Args:
        instance: The Dagster instance.
        child: The job.
        before: The run; it is over.
    """

    def planned(state: KnownExecutionState | None) -> ExecutionPlanSnapshot:
        plan = _plan_of(instance, child.job, before.run_config, state=state)
        return snapshot_from_execution_plan(plan, child.job.get_job_snapshot_id())

    return child.left_of(instance, before, planned)


def run_going_on(
    instance: dg.DagsterInstance,
    child: ChildJob,
    parent: dg.DagsterRun,
    before: dg.DagsterRun,
    tags: Mapping[str, str],
    *,
    left: Left,
) -> tuple[dg.DagsterRun, Any]:
    """Create a run that does what one before left to do; return its plan too.

    Args:
        instance: The Dagster instance.
        child: The job.
        parent: The run around it.
        before: The run before; it is over.
        tags: The tags of the run, besides those of the job.
        left: What is left to do.
    """
    config = before.run_config
    plan = _plan_of(instance, child.job, config, list(left.step_keys), left.state)
    run = _created(instance, child.job, parent, config, tags, plan=plan, before=before)
    return run, plan


def _plan_of(
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    config: Mapping[str, Any],
    step_keys: list[str] | None = None,
    state: KnownExecutionState | None = None,
) -> Any:
    return create_execution_plan(
        InMemoryJob(job),
        config,
        step_keys_to_execute=step_keys,
        known_state=state,
        instance_ref=instance.get_ref() if instance.is_persistent else None,
    )


def _created(
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    parent: dg.DagsterRun,
    config: Mapping[str, Any],
    tags: Mapping[str, str],
    *,
    plan: Any,
    before: dg.DagsterRun | None = None,
) -> dg.DagsterRun:
    run_id = str(uuid4())
    remote, code = parent.remote_job_origin, parent.job_code_origin
    return instance.create_run_for_job(
        job_def=job,
        execution_plan=plan,
        run_id=run_id,
        run_config=config,
        tags={**job.run_tags, **tags, TAG_CHILD_RUN: run_id},
        remote_job_origin=remote and type(remote)(remote.repository_origin, job.name),
        job_code_origin=code and type(code)(job.name, code.repository_origin),
        parent_run_id=None if before is None else before.run_id,
        root_run_id=None if before is None else before.root_run_id or before.run_id,
    )


def execute(
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    run: dg.DagsterRun,
    plan: Any,
    outputs: Kept,
) -> RunInside:
    """Execute a run to its end.

    Args:
        instance: The Dagster instance.
        job: The job; its executor is `inside_another_run`.
        run: The run, which nobody has begun.
        plan: Its plan.
        outputs: Where its outputs go.
    """
    failure: dg.DagsterEvent | None = None
    error: str | None = None
    status: dg.DagsterRunStatus | None = None
    was_interrupted = False
    pauses: list[StepPause] = []
    execution = ExecuteRunWithPlanIterable(
        execution_plan=plan,
        iterator=job_execution_iterator,
        execution_context_manager=PlanOrchestrationContextManager(
            context_event_generator=orchestration_context_event_generator,
            job=InMemoryJob(job),
            execution_plan=plan,
            dagster_run=run,
            instance=instance,
            run_config=run.run_config,
            raise_on_error=False,
            executor_defs=None,
            output_capture=outputs,
        ),
    )
    for event in execution:
        if event.is_step_failure:
            failure = failure or event
        elif event.event_type is dg.DagsterEventType.RUN_FAILURE:
            error = event.message
        status = _RUN_ENDS.get(event.event_type, status)
        report = report_of_output(event)
        if isinstance(report, StepPause):
            pauses.append(report)
        was_interrupted = was_interrupted or check_captured_interrupt()
    context: Any = execution.job_context
    return RunInside(
        status=status or _status_of(instance, run.run_id),
        failure=failure,
        error=error,
        was_interrupted=was_interrupted
        or (context is not None and context.executor.was_interrupted),
        pauses=tuple(pauses),
    )


def _status_of(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    """Return how a run stands; one that somebody deleted is cancelled."""
    run = instance.get_run_by_id(run_id)
    return dg.DagsterRunStatus.CANCELED if run is None else run.status


def _end_if(*, asked: bool) -> None:
    if asked:
        raise dg.DagsterExecutionInterruptedError


def _is_stopped(instance: dg.DagsterInstance, run_id: str) -> bool:
    run = instance.get_run_by_id(run_id)
    return run is None or run.status in _STOPPED


def _end_waits_at_once() -> None:
    """Let a signal end the wait for another attempt, as it ends a step.

    Dagster 1.13 notes a signal that comes between steps and goes on, also where it sleeps until the
    next attempt is due: nobody would look at the note for as long. It sets the handlers of the
    signals back when the run is over.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    noted = signal.getsignal(signal.SIGINT)

    def handle(number: int, frame: FrameType | None) -> None:
        if frame is not None and frame.f_code.co_name == "sleep_til_ready":
            raise dg.DagsterExecutionInterruptedError
        if callable(noted):
            noted(number, frame)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)

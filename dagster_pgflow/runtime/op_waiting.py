"""What the op of a step does that waits: it asks whether it need not any more."""

from dataclasses import replace
from typing import Any

from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.model.steps import SleepStep, WaitingStep
from dagster_pgflow.names import PGFLOW_KEY, TAG_TOP_RUN, continuation_of
from dagster_pgflow.runtime.data_map import kept, refuse_unkept
from dagster_pgflow.runtime.holding import WaitsItself
from dagster_pgflow.runtime.op_execution import Execution
from dagster_pgflow.runtime.values import Skipped
from dagster_pgflow.runtime.waiting_for import (
    Asking,
    is_skipped_after,
    output_after,
    shown_wait,
)
from dagster_pgflow.runtime.waits import WaitAsked, Waits, WaitState


def run_waiting(execution: Execution) -> Any:
    """Return what a step returns that waited, or why it does not run.

    Waiting is no attempt: while it waits the step has none, and afterwards it has one.

    Raises:
        WaitsItself: It begins to wait, or still waits.
        ConfigurationError: Nobody keeps what steps wait for.
    """
    given = execution.given()
    if isinstance(given, Skipped):
        return given
    if execution.retry_policy.start_delay and not execution.memory.was_held():
        execution.prepare()
    execution.tasks.attempt = max(execution.tasks.attempt, 1)
    output = execution.tasks.run(0, given, lambda _, value: _output(execution, value))
    if isinstance(output, Skipped):
        execution.tasks.reports.clear()  # It was not tried.
    return execution.tasks.settle() or output


def _output(execution: Execution, given: Any) -> Any:
    """Return what the step returns, or why it is skipped."""
    step, path = execution.work.step, execution.path
    assert isinstance(step, WaitingStep | SleepStep)  # noqa: S101
    received = execution.received(given)
    refuse_unkept(step, received.input, path)
    asking = Asking(execution.work.flow, step, path, given, received, execution.facts)
    asked = replace(asking.asked(), dagster_run_id=_first_run(execution))
    state = _state(execution, asked)
    if is_skipped_after(step, state):
        return Skipped("handler_failed", path, why="nobody answered in time")
    output = output_after(step, path, asked, state)
    return execution.mergeable(kept(step, received.input, output, path))


def _first_run(execution: Execution) -> str | None:
    """Return the Dagster run that the run is, or lies in; `None` where that goes on with one."""
    context = execution.context
    run = context.run
    if execution.is_in_child_run:
        run = context.instance.get_run_by_id(run.tags[TAG_TOP_RUN]) or run
    return None if continuation_of(run.run_id, run.tags) else run.run_id


def _state(execution: Execution, asked: WaitAsked) -> WaitState:
    """Return how the wait of a step stands that is over.

    Raises:
        WaitsItself: It is not over.
        ConfigurationError: Nobody keeps what steps wait for.
    """
    waits = getattr(execution.context.resources, PGFLOW_KEY)
    if not isinstance(waits, Waits):
        raise ConfigurationError(
            f'Step "{execution.path}" waits, and the resource "{PGFLOW_KEY}" of this code location'
            " does not keep what steps wait for; use the one of dagster_pgflow, which does."
        )
    state = waits.wait_for(asked)
    if state.status == "open":
        if execution.retry_policy.start_delay:
            execution.memory.remember_held()
        raise WaitsItself(execution.path, asked.kind, shown_wait(asked), state.due_at)
    return state

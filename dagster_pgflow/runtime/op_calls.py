"""What a running step calls: its handler, with the context that it is given, past its guards."""

from functools import partial
from typing import TYPE_CHECKING, Any

from dagster_pgflow.model.lowered import whole_of
from dagster_pgflow.model.steps import HandledStep, MapStep
from dagster_pgflow.model.steps.data_map import merges_input
from dagster_pgflow.runtime.asset_keys import TaskAssets
from dagster_pgflow.runtime.attempt import attempt
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.runtime.guarded_steps import past_guards
from dagster_pgflow.runtime.handlers import Handler
from dagster_pgflow.runtime.op_hooks import around_of
from dagster_pgflow.runtime.own_names import deps_for_handler, named_for_handler
from dagster_pgflow.runtime.params import params_given
from dagster_pgflow.runtime.run_under_way import working_for
from dagster_pgflow.runtime.secrets import Secrets

if TYPE_CHECKING:
    from dagster_pgflow.runtime.op_execution import Execution


def find_handler(execution: "Execution", index: int) -> Handler:
    """Return the handler of a task.

    Args:
        execution: The execution.
        index: The index of the task.

    Raises:
        UnknownHandler: This code location does not register it.
    """
    step, found = execution.work.step, execution.work.handler
    named = step.handler if isinstance(step, HandledStep) else None
    if execution.conductor is not None:
        name = found.name if found is not None else named or step.slug
        task, tried = execution.task_path(index), execution.tasks.attempt
        found = execution.conductor.handler_of(task, tried, name, found)
    if found is None:
        handlers = execution.work.handlers
        raise handlers.unknown(execution.flow_slug, step.slug, named, execution.path)
    return found


def call_handler(
    execution: "Execution", index: int, value: Any, secrets: Secrets, assets: TaskAssets
) -> Any:
    """Call the handler of a task once; return its output.

    Args:
        execution: The execution.
        index: The index of the task.
        value: What it receives, with the dependencies under the names that the flow has.
        secrets: Where secrets are found.
        assets: The assets of the task, of which the handler may say more.

    Raises:
        StepError: The attempt failed.
    """
    handler, step = find_handler(execution, index), execution.work.step
    asks = handler.wants_context or execution.work.hooks.wants_context
    params = params_given(
        step, handler, value, lambda: execution.flow_input, secrets, are_read=asks
    )
    context = _context(execution, index, value, params, secrets=secrets, assets=assets, asks=asks)
    given = execution.input_of(value)
    handed = given if merges_input(step) else named_for_handler(step, value)
    around = around_of(execution, index, given, handed)
    call = partial(attempt, handler, handed, context, context.timeout, around)
    with working_for(execution.run_id):
        return past_guards(whole_of(execution.work.flow), step, context, call)


def _context(
    execution: "Execution",
    index: int,
    value: Any,
    params: Any,
    *,
    secrets: Secrets,
    assets: TaskAssets,
    asks: bool,
) -> StepContext:
    """Return what the handler may ask; what is dear, only if it or one around it does ask."""
    step, path, context = execution.work.step, str(execution.path), execution.context
    has_deps = bool(step.depends_on) and not isinstance(step, MapStep)
    return StepContext(
        flow_input=execution.flow_input if asks else None,
        run_id=execution.run_id,
        flow_slug=execution.flow_slug,
        step_slug=step.slug,
        step_path=path,
        task_index=index,
        task_path=str(execution.task_path(index)),
        attempt=execution.tasks.attempt,
        idempotency_key=f"{execution.run_id}:{path}:{index}",
        iteration=execution.frame.iteration,
        params=params,
        log=context.log,
        resources=context.resources,
        depends_on=deps_for_handler(step),
        deps=named_for_handler(step, value) if has_deps else {},
        timeout=execution.retry_policy.timeout,
        secrets=secrets.given,
        assets=assets,
    )

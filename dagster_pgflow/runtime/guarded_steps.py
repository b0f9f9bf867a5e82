"""The calls of a step, as its guards count them."""

from collections.abc import Callable
from typing import TypeVar

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps.fields import StepBase
from dagster_pgflow.model.steps.guarded import GuardedStep
from dagster_pgflow.names import PGFLOW_KEY
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.runtime.guarded import guarded
from dagster_pgflow.runtime.guards import CallGuards, GuardedCall

TENANT_TAG = "tenant"

T = TypeVar("T")


def past_guards(flow: Flow, step: StepBase, context: StepContext, work: Callable[[], T]) -> T:
    """Do what one call of a step does, past its guards; a step without any asks nobody.

    Args:
        flow: The flow that the step belongs to, as its author wrote it.
        step: The step.
        context: What the handler is given.
        work: Calls the handler.

    Raises:
        StepError: See `guarded`.
        StoreError: See `guarded`.
    """
    if not isinstance(step, GuardedStep) or not step.guards:
        return work()
    call_guards: CallGuards = getattr(context.resources, PGFLOW_KEY)
    own_key = f"{flow.slug}.{step.slug}"
    call = GuardedCall(
        tenant=flow.tags.get(TENANT_TAG, ""),
        guards={
            name: guard.model_dump() | {"key": guard.key or own_key}
            for name, guard in step.guards.items()
        },
        holder=f"run {context.run_id}, step {context.task_path}",
    )
    subject = (
        f'The handler of step "{context.task_path}" (flow "{flow.slug}", attempt {context.attempt})'
    )
    return guarded(call_guards, call, subject, work)

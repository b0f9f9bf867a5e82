"""What a handler finds in `ctx.params`: the params of its step with values in their places."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from dagster_pgflow.expressions.references import INPUT, ITEM, NODES, is_filled_in, params_filled
from dagster_pgflow.model.steps import HandledStep, MapStep
from dagster_pgflow.model.steps.fields import StepBase
from dagster_pgflow.node_types.known import address_fields, literal_fields
from dagster_pgflow.node_types.params import params_of_type, problems_in_values
from dagster_pgflow.runtime.handlers import Handler
from dagster_pgflow.runtime.own_names import params_for_handler
from dagster_pgflow.runtime.secrets import Secrets
from dagster_pgflow.step_errors import NonRetryable, ReferenceFailed


def params_given(
    step: StepBase,
    handler: Handler,
    value: Any,
    flow_input: Callable[[], Any],
    secrets: Secrets,
    *,
    are_read: bool,
) -> Any:
    """Return the params of a step for one of its tasks, as its handler takes them.

    Args:
        step: The step.
        handler: Its handler.
        value: The input of the task, with the dependencies under the names that the flow has.
        flow_input: Gives the input of the flow that the step belongs to.
        secrets: Where secrets are found.
        are_read: Whether the handler, or one around it, takes the step context.

    Raises:
        NonRetryable: A reference leads nowhere, there is no such secret, or the handler does not
            take what came out.
    """
    params = params_for_handler(step)
    if are_read:
        params = _filled(step, params, value, flow_input, secrets)
    if handler.params_adapter is None:
        return params
    try:
        return params_of_type(handler.params_adapter, params)
    except ValidationError as error:
        problems = problems_in_values(error, handler.params_adapter, params, handler.name)
        told = "; ".join(
            f"{_place(step, problem.place)}: {problem.message.removesuffix('.')}"
            for problem in problems
        )
        raise NonRetryable(
            f'Step "{step.slug}" has params that its handler cannot take: {told}.'
        ) from None


def _filled(
    step: StepBase,
    params: Mapping[str, Any],
    value: Any,
    flow_input: Callable[[], Any],
    secrets: Secrets,
) -> dict[str, Any]:
    named = step.handler if isinstance(step, HandledStep) else None
    literal = literal_fields(named)
    template = {name: part for name, part in params.items() if name not in literal}
    if not is_filled_in(template):
        return dict(params)
    if isinstance(step, MapStep):
        values = {ITEM: value, INPUT: flow_input()}
    else:
        values = {NODES: value if step.depends_on else {}, INPUT: flow_input()}
    try:
        made = params_filled(
            template,
            values,
            secrets.named,
            address_fields(named),
            hosts_are_given=bool(params.get("allow_hosts")),
        )
    except ReferenceFailed as error:
        place, _, reason = str(error).partition(": ")
        where = _place(step, place.removeprefix("params."))
        raise NonRetryable(
            f'Step "{step.slug}" has params that cannot be put together: {where}: {reason}'
        ) from None
    return {**params, **made}


def _place(step: StepBase, place: str) -> str:
    return f"steps.{step.slug}.params.{place}".removesuffix(".")

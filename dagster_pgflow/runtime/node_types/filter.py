"""`pgflow.filter`: the elements of a list for which a condition holds."""

from collections.abc import Mapping
from typing import Any

from dagster_pgflow.errors import ExpressionFailed, NonRetryable
from dagster_pgflow.expressions.cel import Expression, value_expression
from dagster_pgflow.node_types.filter import FilterConfig
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.runtime.node_types.asking import items_for, values_for


def keep(value: Any, ctx: StepContext) -> list[Any]:
    """Keep the elements of a list for which a condition holds, in their order."""
    config: FilterConfig = ctx.params
    asked, values = value_expression(config.condition), values_for(value, ctx)
    return [
        item
        for index, item in enumerate(items_for(config, value, ctx))
        if _is_kept(config, asked, {**values, "item": item, "index": index}, ctx)
    ]


def _is_kept(
    config: FilterConfig, asked: Expression, values: Mapping[str, Any], ctx: StepContext
) -> bool:
    try:
        return asked.holds(values)
    except ExpressionFailed as error:
        told = f"The condition `{asked.text}` has no answer for element {values['index']}: {error}."
    if config.on_error == "fail":
        raise NonRetryable(told)
    ctx.log.warning("%s It is %s.", told, "kept" if config.on_error == "keep" else "dropped")
    return config.on_error == "keep"

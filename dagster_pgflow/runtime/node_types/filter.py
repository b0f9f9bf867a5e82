"""`pgflow.filter`: the elements of a list for which a condition holds."""

from typing import Any, Final

from dagster_pgflow.expressions.cel import value_expression
from dagster_pgflow.node_types.filter import FilterConfig
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.runtime.node_types.asking import items_for, values_for
from dagster_pgflow.step_errors import ExpressionFailed, NonRetryable

MOST_WARNINGS: Final = 5
"""How many elements without an answer the log names: each line of it is a row somewhere."""


def keep(value: Any, ctx: StepContext) -> list[Any]:
    """Keep the elements of a list for which a condition holds, in their order."""
    config: FilterConfig = ctx.params
    asked, values = value_expression(config.condition), values_for(value, ctx)
    kept: list[Any] = []
    unanswered = 0
    for index, item in enumerate(items_for(config, value, ctx)):
        try:
            holds = asked.holds({**values, "item": item, "index": index})
        except ExpressionFailed as error:
            message = f"The condition `{asked.text}` has no answer for element {index}: {error}."
            if config.on_error == "fail":
                raise NonRetryable(message) from None
            holds = config.on_error == "keep"
            unanswered += 1
            if unanswered <= MOST_WARNINGS:
                ctx.log.warning("%s It is %s.", message, "kept" if holds else "dropped")
        if holds:
            kept.append(item)
    if unanswered > MOST_WARNINGS:
        ctx.log.warning("In all, %s elements had no answer.", unanswered)
    return kept

"""`pgflow.transform`: JSON from JSON, by expressions."""

from typing import Any

from dagster_pgflow.errors import ExpressionFailed, NonRetryable
from dagster_pgflow.expressions.cel import value_expression
from dagster_pgflow.node_types.transform import TransformConfig
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.runtime.node_types.asking import values_for


def transform(value: Any, ctx: StepContext) -> Any:
    """Make JSON from what the step receives, by one expression or by one for each field."""
    config: TransformConfig = ctx.params
    values = values_for(value, ctx)
    made: dict[str, Any] = {}
    for place, text in config.expressions.items():
        try:
            made[place.removeprefix("expression.")] = value_expression(text).value(values)
        except ExpressionFailed as error:
            raise NonRetryable(f"{place} `{text}` has no value: {error}.") from None
    return made["expression"] if isinstance(config.expression, str) else made

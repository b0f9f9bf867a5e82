"""`pgflow.transform`: JSON from JSON, by expressions."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from dagster_pgflow.expressions.cel import value_expression
from dagster_pgflow.node_types.transform import Transformation, TransformConfig
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.runtime.node_types.asking import received_by, values_for
from dagster_pgflow.runtime.values import kind_of
from dagster_pgflow.step_errors import ExpressionFailed, NonRetryable

TRANSFORMATIONS: Final[Mapping[Transformation, Callable[[str], str]]] = {
    "uppercase": str.upper,
    "lowercase": str.lower,
    "trim": str.strip,
}


def transform(value: Any, ctx: StepContext) -> Any:
    """Make JSON from what the step receives, by one expression or by one for each field."""
    config: TransformConfig = ctx.params
    if config.expression is None:
        return _transformed(config, received_by(value, ctx), "What the step receives")
    values = values_for(value, ctx)
    made: dict[str, Any] = {}
    for place, text in config.expressions.items():
        try:
            given = value_expression(text).value(values)
        except ExpressionFailed as error:
            raise NonRetryable(f"{place} `{text}` has no value: {error}.") from None
        made[place.removeprefix("expression.")] = _transformed(config, given, f"{place} `{text}`")
    return made["expression"] if isinstance(config.expression, str) else made


def _transformed(config: TransformConfig, value: Any, source: str) -> Any:
    """Return a value as the transformation makes it.

    Raises:
        NonRetryable: It is no text.
    """
    if config.transformation is None:
        return value
    if not isinstance(value, str):
        raise NonRetryable(
            f"{source} is {kind_of(value)}, and {config.transformation} takes text; let an"
            " expression say which text."
        )
    return TRANSFORMATIONS[config.transformation](value)

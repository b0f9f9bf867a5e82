"""`pgflow.pick`: what a step receives, or a part of it, as it is.

No value is computed here, so each is handed on untouched: a whole number of a hundred digits too,
which CEL could not hold.
"""

from typing import Any

from dagster_pgflow.node_types.pick import PickConfig
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.runtime.node_types.parts import values_at
from dagster_pgflow.step_errors import NonRetryable


def pick(value: Any, ctx: StepContext) -> Any:
    """Return the first value that a path leads to, or all that the step receives."""
    config: PickConfig = ctx.params
    if not config.of:
        return value
    for found in values_at(value, config.of):
        return found
    keys = ", ".join(map(str, value)) if isinstance(value, dict) else ""
    paths = " or ".join(f"`{path}`" for path in config.of)
    raise NonRetryable(
        f"There is nothing to pick at {paths}; the keys of what arrived: {keys or 'none'}."
    )

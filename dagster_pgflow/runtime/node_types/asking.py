"""What the expressions of a node may ask, and the list that it works on."""

from typing import Any

from dagster_pgflow.node_types.listed import ListConfig
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.runtime.values import kind_of
from dagster_pgflow.step_errors import NonRetryable


def values_for(value: Any, ctx: StepContext) -> dict[str, Any]:
    """Return the values that expressions may ask for, by root.

    Args:
        value: What the step receives.
    """
    values = {
        "input": value,
        "flow_input": ctx.flow_input,
        "deps": ctx.deps,
        "ctx": {
            "run_id": ctx.run_id,
            "flow_slug": ctx.flow_slug,
            "step_slug": ctx.step_slug,
            "step_path": ctx.step_path,
            "params": {},
            **({"iteration": ctx.iteration} if ctx.iteration else {}),
        },
    }
    return values | ({"output": next(iter(ctx.deps.values()))} if len(ctx.deps) == 1 else {})


def received_by(value: Any, ctx: StepContext) -> Any:
    """Return what a node works on that does not say it: the output of the only dependency.

    At the root of a flow it is the flow input, in a map step the element, where there are several
    dependencies their outputs by name, and where they are merged the object that came of them.

    Raises:
        NonRetryable: The only dependency was skipped.
    """
    if len(ctx.depends_on) != 1:
        return value
    [only] = ctx.depends_on
    if only not in value:
        raise NonRetryable(f'There is nothing to work on: step "{only}" was skipped.')
    return value[only]


def items_for(config: ListConfig, value: Any, ctx: StepContext) -> list[Any]:
    """Return the list that a node works on; a dependency that was skipped counts as an empty one.

    Raises:
        NonRetryable: There is something else in its place.
    """
    if "items" in config.model_fields_set:
        items, source = config.items, "items"
    elif ctx.depends_on:
        items = value.get(ctx.depends_on[0], [])
        source = f'the output of step "{ctx.depends_on[0]}"'
    else:
        items, source = value, "what it receives"
    if not isinstance(items, list):
        raise NonRetryable(f"It works on a list, but {source} is {kind_of(items)}.")
    return items

"""Which assets a task produces and consumes: what its step says, and what its handler says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dagster_pgflow.expressions.asset_keys import (
    KEY_RULE,
    MOST_ASSETS,
    PARTITION_RULE,
    is_key,
    is_partition,
    key_of,
    partition_of,
)
from dagster_pgflow.expressions.references import INPUT, ITEM, NODES, references_in
from dagster_pgflow.model.steps import AssetStep, MapStep
from dagster_pgflow.step_errors import NonRetryable, ReferenceFailed


@dataclass(frozen=True)
class SaidAsset:
    """A materialization, as a handler says it.

    Attributes:
        key: The asset.
        metadata: What is said of it.
        partition: The partition; without it, that of the step.
    """

    key: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    partition: str | None = None


@dataclass(frozen=True)
class TaskAssets:
    """The assets of one task.

    Attributes:
        produces: The keys that its step says.
        consumes: The same of what it works from.
        partition: The partition of what it produces.
        said: What its handler says besides.
    """

    produces: tuple[str, ...] = ()
    consumes: tuple[str, ...] = ()
    partition: str | None = None
    said: list[SaidAsset] = field(default_factory=list)

    def say(self, key: object, metadata: object, partition: object) -> None:
        """Note what the handler says, whatever that is.

        Raises:
            NonRetryable: That can be no key, no partition or no metadata, or it is too much.
        """
        if not isinstance(key, str) or not is_key(key):
            raise NonRetryable(f'ctx.materialize got "{_some(key)}" as a key; {KEY_RULE}.')
        if partition is not None and not (isinstance(partition, str) and is_partition(partition)):
            raise NonRetryable(
                f'ctx.materialize got "{_some(partition)}" as the partition of "{_some(key)}";'
                f" {PARTITION_RULE}."
            )
        named = {} if metadata is None else metadata
        if not isinstance(named, Mapping) or not all(isinstance(name, str) for name in named):
            raise NonRetryable(
                f'ctx.materialize got metadata of "{_some(key)}" that are no dict of named values;'
                ' write metadata={"rows": 10}.'
            )
        if len(self.said) >= MOST_ASSETS:
            raise NonRetryable(
                f"ctx.materialize was called more than {MOST_ASSETS} times; let a map step"
                " materialize an asset for each of its elements."
            )
        self.said.append(SaidAsset(key, dict(named), partition))

    def materialized(self) -> list[SaidAsset]:
        """Return what there is newly when the task has completed, each with its partition.

        What the handler says of a key that its step produces is said of that materialization.
        """
        named = {one.key for one in self.said}
        unsaid = [SaidAsset(key) for key in dict.fromkeys(self.produces) if key not in named]
        return [
            SaidAsset(one.key, one.metadata, one.partition or self.partition)
            for one in (*unsaid, *self.said)
        ]


def assets_of_task(step: object, value: Any, flow_input: Callable[[], Any]) -> TaskAssets:
    """Return which assets a step produces and consumes with one of its tasks.

    Args:
        step: The step.
        value: The input of the task, with the dependencies under the names that the flow has.
        flow_input: Gives the input of the flow that the step belongs to.

    Raises:
        NonRetryable: A template has no value, or one that makes no key.
    """
    if not isinstance(step, AssetStep) or not step.asset_templates:
        return TaskAssets()
    asks = any(found.root == INPUT for _, found in references_in(step.asset_templates))
    values = {INPUT: flow_input()} if asks else {}
    if isinstance(step, MapStep):
        values[ITEM] = value
    else:
        values[NODES] = value if step.depends_on else {}
    return TaskAssets(
        tuple(_made(step, "produces", key_of, key, values) for key in step.produces),
        tuple(_made(step, "consumes", key_of, key, values) for key in step.consumes),
        None
        if step.partition is None
        else _made(step, "partition", partition_of, step.partition, values),
    )


def _made(
    step: AssetStep,
    field_name: str,
    make: Callable[[str, Mapping[str, Any]], str],
    template: str,
    values: Mapping[str, Any],
) -> str:
    try:
        return make(template, values)
    except ReferenceFailed as error:
        raise NonRetryable(
            f'Step "{step.slug}" has {field_name} "{_some(template)}", which cannot be put'
            f" together: {str(error).removesuffix('.')}."
        ) from None


def _some(text: object) -> str:
    shown = text if isinstance(text, str) and text.isprintable() else repr(text)
    return shown if len(shown) <= 60 else f"{shown[:60]}..."

"""What steps say of assets can become keys, and each element of a map has an asset of its own."""

from collections.abc import Iterator

from dagster_pgflow.errors import Problem
from dagster_pgflow.expressions.asset_keys import (
    KEY_RULE,
    MOST_ASSETS,
    PARTITION_RULE,
    can_be_key,
    can_be_partition,
)
from dagster_pgflow.expressions.references import ITEM, well_formed_references_in
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import AssetStep, MapStep
from dagster_pgflow.validation.rule import KnownFlows


def assets_have_keys(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check the keys of what each step produces and consumes, and its partition."""
    for step in flow.steps:
        if not isinstance(step, AssetStep):
            continue
        for field, keys in (("produces", step.produces), ("consumes", step.consumes)):
            yield from _of_keys(step, field, keys)
        if step.partition is not None and not can_be_partition(step.partition):
            yield Problem(
                "invalid-partition",
                f"steps.{step.slug}.partition",
                f'Step "{step.slug}" has a partition that can be none; {PARTITION_RULE}.',
            )
        if isinstance(step, MapStep):
            yield from _same_for_all(step)


def _of_keys(step: AssetStep, field: str, keys: tuple[str, ...]) -> Iterator[Problem]:
    path = f"steps.{step.slug}.{field}"
    if len(keys) > MOST_ASSETS:
        yield Problem(
            "invalid-asset-key",
            path,
            f'Step "{step.slug}" {field} {len(keys)} assets, and may name {MOST_ASSETS}; let more'
            " steps do it.",
        )
    for index, key in enumerate(keys):
        if not can_be_key(key):
            yield Problem(
                "invalid-asset-key",
                f"{path}[{index}]",
                f'Step "{step.slug}" {field} an asset whose key can be none; {KEY_RULE}.',
            )


def _same_for_all(step: MapStep) -> Iterator[Problem]:
    """Yield the keys that each element of a map would materialize anew."""
    if _names_item(step.partition):
        return
    for index, key in enumerate(step.produces):
        if not _names_item(key):
            yield Problem(
                "asset-of-all-elements",
                f"steps.{step.slug}.produces[{index}]",
                f'Map step "{step.slug}" produces "{key[:60]}", which is the same asset for each of'
                " its elements; refer to $item in the key or in partition, or let a step behind it"
                " produce the whole.",
            )


def _names_item(template: str | None) -> bool:
    return any(found.root == ITEM for _, found in well_formed_references_in(template or ""))

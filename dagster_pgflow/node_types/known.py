"""The built-in node types by the names that steps use."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from dagster_pgflow.names import NODE_TYPE_PREFIX
from dagster_pgflow.node_types.aggregate import AggregateConfig
from dagster_pgflow.node_types.config import NodeConfig
from dagster_pgflow.node_types.fail import FailConfig
from dagster_pgflow.node_types.filter import FilterConfig
from dagster_pgflow.node_types.http import HttpConfig
from dagster_pgflow.node_types.pick import PickConfig
from dagster_pgflow.node_types.transform import TransformConfig

NODE_TYPES: Final[Mapping[str, type[NodeConfig]]] = MappingProxyType(
    {
        f"{NODE_TYPE_PREFIX}http": HttpConfig,
        f"{NODE_TYPE_PREFIX}transform": TransformConfig,
        f"{NODE_TYPE_PREFIX}filter": FilterConfig,
        f"{NODE_TYPE_PREFIX}aggregate": AggregateConfig,
        f"{NODE_TYPE_PREFIX}pick": PickConfig,
        f"{NODE_TYPE_PREFIX}fail": FailConfig,
    }
)


def literal_fields(handler: str | None) -> frozenset[str]:
    """Return the params that are no templates, of a step with a handler of this name."""
    config = NODE_TYPES.get(handler or "")
    return frozenset() if config is None else config.literal


def address_fields(handler: str | None) -> frozenset[str]:
    """Return the params that are web addresses, of a step with a handler of this name."""
    config = NODE_TYPES.get(handler or "")
    return frozenset() if config is None else config.addresses

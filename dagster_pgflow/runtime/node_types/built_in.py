"""The functions behind the built-in node types, by the names that steps use."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from dagster_pgflow.names import NODE_TYPE_PREFIX
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.runtime.node_types.aggregate import aggregate
from dagster_pgflow.runtime.node_types.fail import fail
from dagster_pgflow.runtime.node_types.filter import keep
from dagster_pgflow.runtime.node_types.http import ask
from dagster_pgflow.runtime.node_types.pick import pick
from dagster_pgflow.runtime.node_types.transform import transform

FUNCTIONS: Final[Mapping[str, Callable[[Any, StepContext], Any]]] = MappingProxyType(
    {
        f"{NODE_TYPE_PREFIX}http": ask,
        f"{NODE_TYPE_PREFIX}transform": transform,
        f"{NODE_TYPE_PREFIX}filter": keep,
        f"{NODE_TYPE_PREFIX}aggregate": aggregate,
        f"{NODE_TYPE_PREFIX}pick": pick,
        f"{NODE_TYPE_PREFIX}fail": fail,
    }
)

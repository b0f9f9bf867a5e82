"""What a step of type `pgflow.fail` says."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from dagster_pgflow.node_types.config import NodeConfig


class FailConfig(NodeConfig):
    """The config of a step that fails.

    Attributes:
        message: Why: what the run, or the step that goes on, is told.
        because: Paths in what the step receives: the first value that is there is told too.
        tells_keys: Whether the keys of what the step receives are told too.
    """

    examples: ClassVar[Mapping[str, Any]] = {
        "message": "There is no order ${$input.order_id}.",
        "because": ["error.message"],
    }

    message: str = Field(min_length=1)
    because: tuple[str, ...] = ()
    tells_keys: bool = False

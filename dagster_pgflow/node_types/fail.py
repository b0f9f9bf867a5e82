"""What a step of type `pgflow.fail` says."""

from pydantic import Field

from dagster_pgflow.node_types.config import NodeConfig


class FailConfig(NodeConfig):
    """The config of a step that fails.

    Attributes:
        message: Why: what the run, or the step that goes on, is told.
        because: Paths in what the step receives: the first value that is there is told too.
        tells_keys: Whether the keys of what the step receives are told too.
    """

    message: str = Field(
        min_length=1, description="Why the step fails; values may be put in, as in other texts."
    )
    because: tuple[str, ...] = Field(
        default=(),
        description="Paths in what the step receives, such as `error.message`; the first value"
        " that is there is told behind the message.",
    )
    tells_keys: bool = Field(
        default=False, description="Whether the keys of what the step receives are told too."
    )

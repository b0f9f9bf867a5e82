"""What a step of type `pgflow.pick` says."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from dagster_pgflow.node_types.config import ConfiguredStep, NodeConfig, ParamProblem

Path = Annotated[str, Field(min_length=1)]


class PickConfig(NodeConfig):
    """The config of a step that hands on one of the values it receives, or all of them.

    Attributes:
        of: Paths in what the step receives: keys with dots between them, such as `cart.lines`. The
            first one that leads to a value counts. Without any, all that it receives is handed on.
    """

    examples: ClassVar[Mapping[str, Any]] = {"of": ["cart.lines"]}

    of: tuple[Path, ...] = ()

    def problems(self, site: ConfiguredStep) -> Iterator[ParamProblem]:
        """Yield which paths have no key between two dots."""
        del site
        for index, path in enumerate(self.of):
            if not all(path.split(".")):
                yield ParamProblem(
                    "path-with-gaps",
                    f"of[{index}]",
                    f"`{path}` has no key at one of its dots; write keys with one dot between"
                    " each two, such as `cart.lines`.",
                )

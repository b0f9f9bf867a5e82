"""The list that a step works on: named by its config, or what the step receives."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from dagster_pgflow.node_types.config import ConfiguredStep, NodeConfig, ParamProblem


class ListConfig(NodeConfig):
    """The config of a step that works on a list.

    Attributes:
        items: The list, most often a reference such as `$nodes.fetch.body.orders`; without it
            the output of the step's only dependency, the flow input at the root of a flow, the
            element in a map step.
    """

    examples: ClassVar[Mapping[str, Any]] = {"items": "$nodes.fetch.body.orders"}

    items: Any = None

    def problems(self, site: ConfiguredStep) -> Iterator[ParamProblem]:
        """Yield what is wrong besides what the types of the fields say."""
        if "items" not in self.model_fields_set and site.sources > 1:
            message = (
                f"The step receives the outputs of {site.sources} steps; say in items which list"
                " it works on, as in $nodes.<step>.<path>."
            )
            yield ParamProblem("unclear-items", "items", message)

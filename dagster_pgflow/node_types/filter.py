"""What a step of type `pgflow.filter` says."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from dagster_pgflow.errors import InvalidExpression
from dagster_pgflow.expressions.cel import ELEMENT_ROOTS, expression
from dagster_pgflow.node_types.config import ConfiguredStep, ParamProblem
from dagster_pgflow.node_types.listed import ListConfig

OnError = Literal["fail", "drop", "keep"]


class FilterConfig(ListConfig):
    """The config of a step that keeps some elements of a list.

    Attributes:
        condition: A condition in CEL that is asked for each `item`, with its `index`; the
            elements for which it holds are kept.
        on_error: What happens to an element for which it has no answer.
    """

    literal: ClassVar[frozenset[str]] = frozenset({"condition", "on_error"})

    examples: ClassVar[Mapping[str, Any]] = {"condition": "item.total > 100"}

    condition: str
    on_error: OnError = "fail"

    def problems(self, site: ConfiguredStep) -> Iterator[ParamProblem]:
        """Yield what is wrong besides what the types of the fields say."""
        yield from super().problems(site)
        try:
            expression(self.condition, site.roots | set(ELEMENT_ROOTS))
        except InvalidExpression as invalid:
            yield ParamProblem("invalid-expression", "condition", str(invalid))

"""What a step of type `pgflow.transform` says."""

from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import Field, field_validator

from dagster_pgflow.node_types.config import Flaw, NodeConfig, Site, flaws_of_expression


class TransformConfig(NodeConfig):
    """The config of a step that makes JSON from what it receives.

    Attributes:
        expression: CEL, whose value is the output; or an object of expressions, whose values the
            output has under the same names.
    """

    literal: ClassVar[frozenset[str]] = frozenset({"expression"})

    expression: str | dict[str, str] = Field(
        description="CEL, or an object of expressions in CEL, one for each field of the output."
    )

    @field_validator("expression", mode="before")
    @classmethod
    def _is_text_or_texts(cls, given: Any) -> Any:
        texts = given.values() if isinstance(given, dict) else [given]
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("It must be an expression in CEL, or an object of expressions")
        return given

    @property
    def expressions(self) -> dict[str, str]:
        """The expressions by their places."""
        if isinstance(self.expression, str):
            return {"expression": self.expression}
        return {f"expression.{name}": text for name, text in self.expression.items()}

    def flaws(self, site: Site) -> Iterator[Flaw]:
        """Yield what is wrong beside what the types of the fields tell."""
        for place, text in self.expressions.items():
            yield from flaws_of_expression(text, place, site.roots)

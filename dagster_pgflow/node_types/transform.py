"""What a step of type `pgflow.transform` says."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from pydantic import field_validator, model_validator

from dagster_pgflow.node_types.config import (
    ConfiguredStep,
    NodeConfig,
    ParamProblem,
    problems_of_expression,
)

Transformation = Literal["uppercase", "lowercase", "trim"]


class TransformConfig(NodeConfig):
    """The config of a step that makes JSON from what it receives.

    Attributes:
        expression: CEL, whose value is the output; or an object of expressions, whose values the
            output has under the same names. Without it the value is what the step receives.
        transformation: What is done to each of these values, which are texts then.
    """

    literal: ClassVar[frozenset[str]] = frozenset({"expression"})

    examples: ClassVar[Mapping[str, Any]] = {"expression": {"total": "nodes.price.net * 1.19"}}

    expression: str | dict[str, str] | None = None
    transformation: Transformation | None = None

    @field_validator("expression", mode="before")
    @classmethod
    def _is_text_or_texts(cls, given: Any) -> Any:
        texts = given.values() if isinstance(given, dict) else [given]
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("It must be an expression in CEL, or an object of expressions")
        return given

    @model_validator(mode="after")
    def _says_something(self) -> "TransformConfig":
        if self.expression is None and self.transformation is None:
            raise ValueError("It needs an expression, a transformation, or both; add one")
        return self

    @property
    def expressions(self) -> dict[str, str]:
        """The expressions by their places."""
        match self.expression:
            case None:
                return {}
            case str():
                return {"expression": self.expression}
            case _:
                return {f"expression.{name}": text for name, text in self.expression.items()}

    def problems(self, site: ConfiguredStep) -> Iterator[ParamProblem]:
        """Yield what is wrong besides what the types of the fields say."""
        for place, text in self.expressions.items():
            yield from problems_of_expression(text, place, site.roots)

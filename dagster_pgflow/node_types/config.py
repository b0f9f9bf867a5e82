"""What the configs of all node types have in common."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from dagster_pgflow.errors import InvalidExpression
from dagster_pgflow.expressions.cel import value_expression


@dataclass(frozen=True)
class ParamProblem:
    """One thing that is wrong with the params of a step.

    Attributes:
        code: The name of the rule.
        place: Where in the params, such as `headers.Accept`; empty for all of them.
        message: One sentence.
    """

    code: str
    place: str
    message: str


@dataclass(frozen=True)
class ConfiguredStep:
    """The step that a config belongs to, as far as that matters.

    Attributes:
        roots: What its expressions may begin a path with.
        sources: How many dependencies its input comes from; in a map step, which receives an
            element, none.
        timeout: Seconds that an attempt may take.
    """

    roots: frozenset[str]
    sources: int
    timeout: float


class NodeConfig(BaseModel):
    """The config of a step of a node type: its params.

    Attributes:
        literal: The fields that mean what they say: references in them are not looked for.
        addresses: The fields that are web addresses: what is put in keeps to its place in them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    literal: ClassVar[frozenset[str]] = frozenset()
    addresses: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def problems_as_written(cls, params: Mapping[str, Any]) -> Iterator[ParamProblem]:
        """Yield what is wrong with params whatever values their references will have."""
        del params
        yield from ()

    def problems(self, site: ConfiguredStep) -> Iterator[ParamProblem]:
        """Yield what is wrong besides what the types of the fields say."""
        del site
        yield from ()


def problems_of_expression(text: str, place: str, roots: frozenset[str]) -> Iterator[ParamProblem]:
    """Yield what is wrong with an expression of a config.

    Args:
        text: CEL.
        place: Where it stands.
        roots: What it may begin a path with.
    """
    try:
        value_expression(text, roots)
    except InvalidExpression as invalid:
        yield ParamProblem("invalid-expression", place, str(invalid))

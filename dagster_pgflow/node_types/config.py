"""What the configs of all node types have in common."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from dagster_pgflow.errors import InvalidExpression
from dagster_pgflow.expressions.cel import value_expression


@dataclass(frozen=True)
class Flaw:
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
class Site:
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
    def flaws_as_written(cls, params: Mapping[str, Any]) -> Iterator[Flaw]:
        """Yield what is wrong with params whatever values their references will have.

        Args:
            params: The params.
        """
        del params
        yield from ()

    def flaws(self, site: Site) -> Iterator[Flaw]:
        """Yield what is wrong beside what the types of the fields tell."""
        del site
        yield from ()


def flaws_of_expression(text: str, place: str, roots: frozenset[str]) -> Iterator[Flaw]:
    """Yield what is wrong with an expression of a config.

    Args:
        text: CEL.
        place: Where it stands.
        roots: What it may begin a path with.
    """
    try:
        value_expression(text, roots)
    except InvalidExpression as invalid:
        yield Flaw("invalid-expression", place, str(invalid))

"""What a step of type `pgflow.aggregate` says."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from dagster_pgflow.expressions.cel import ELEMENT_ROOTS, ROOTS
from dagster_pgflow.node_types.config import ConfiguredStep, ParamProblem, problems_of_expression
from dagster_pgflow.node_types.listed import ListConfig

Operation = Literal["count", "sum", "min", "max", "mean", "collect"]

GROUP: Final = "group"
"""What the value that the elements of a group share is called, where it has no name of its own."""

_PATH: Final = re.compile(r"[A-Za-z_]\w*(?:\.\w+|\[\d+\])*")


def path_in(text: str) -> tuple[str, ...] | None:
    """Return the keys of a path below an element, or `None` for an expression in CEL.

    >>> path_in("customer.country"), path_in("item"), path_in("item.price * 2")
    (('customer', 'country'), (), None)
    """
    if text == "item":
        return ()
    if not _PATH.fullmatch(text):
        return None
    keys = tuple(part for part in re.split(r"[.\[\]]", text) if part)
    return None if keys[0] in (*ROOTS, *ELEMENT_ROOTS) else keys


class Measure(BaseModel):
    """One number, or list, about the elements of a group.

    Attributes:
        op: What is done with their values.
        of: The value of an element: a path in it, or CEL over `item` and `index`; without it the
            element itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    examples: ClassVar[Mapping[str, Any]] = {"of": "price"}

    op: Operation
    of: str | None = None


class AggregateConfig(ListConfig):
    """The config of a step that sums a list up.

    Attributes:
        group_by: A path in an element or CEL over `item` and `index`, or an object of several;
            elements with the same values are one group. Without it all of them are.
        measures: What to find out about each group, by name.
    """

    literal: ClassVar[frozenset[str]] = frozenset({"group_by", "measures"})

    examples: ClassVar[Mapping[str, Any]] = {
        "group_by": "customer.country",
        "measures": {"total": {"op": "sum", "of": "price"}},
    }

    group_by: str | dict[str, str] | None = None
    measures: dict[str, Measure] = Field(min_length=1)

    @field_validator("group_by", mode="before")
    @classmethod
    def _is_text_or_texts(cls, given: Any) -> Any:
        texts = given.values() if isinstance(given, Mapping) else [given]
        if given is not None and not (texts and all(isinstance(text, str) for text in texts)):
            raise ValueError("It must be a path or an expression in CEL, or an object of them")
        return given

    @model_validator(mode="after")
    def _names_differ(self) -> "AggregateConfig":
        taken = sorted(self.groups.keys() & self.measures.keys())
        if taken:
            raise ValueError(f'A group and a measure are both called "{taken[0]}"; rename one')
        return self

    @property
    def groups(self) -> Mapping[str, str]:
        """What makes a group, by name."""
        match self.group_by:
            case None:
                return {}
            case str():
                return {GROUP: self.group_by}
            case _:
                return self.group_by

    def problems(self, site: ConfiguredStep) -> Iterator[ParamProblem]:
        """Yield what is wrong besides what the types of the fields say."""
        yield from super().problems(site)
        for place, text in self._texts():
            if path_in(text) is None:
                yield from problems_of_expression(text, place, site.roots | set(ELEMENT_ROOTS))

    def _texts(self) -> Iterator[tuple[str, str]]:
        for name, text in self.groups.items():
            yield "group_by" if isinstance(self.group_by, str) else f"group_by.{name}", text
        for name, measure in self.measures.items():
            if measure.of is not None:
                yield f"measures.{name}.of", measure.of

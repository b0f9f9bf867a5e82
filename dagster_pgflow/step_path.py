"""The place of a step in a run, such as `payment[3].charge`: the one parser and the one formatter.

A step of the run's own flow stands at its slug. A subflow step and a loop are scopes: what lies in
them stands behind them, parted by a dot. One that is many scopes has a number: the index of the
item, or the number of the iteration.

It is text, because that is how it stands in rows, tags, events and idempotency keys, where nobody
may tell it from what other versions wrote; and because the projection asks for places a hundred
thousand times a run, and nothing is cheaper to compare. No slug has a dot or a bracket in it, so
the text says all.
"""

import re
from collections.abc import Iterator
from typing import Final, Self

_PART: Final = r"[^.\[\]]+(?:\[(?:0|[1-9][0-9]*)\])?"
_PATH: Final = re.compile(rf"(?:{_PART}(?:\.{_PART})*)?")


class StepPath(str):
    """The place of a step, or of one item or iteration of it; empty for the run itself.

    Args:
        text: The place as text.

    Raises:
        ValueError: It is none.

    >>> StepPath("payment").at(3).to("charge")
    StepPath('payment[3].charge')
    """

    __slots__ = ()

    def __new__(cls, text: str = "") -> Self:  # noqa: D102  # the class says it
        if _PATH.fullmatch(text) is None:
            raise ValueError(f'"{text[:80]}" is no place of a step.')
        return str.__new__(cls, text)

    def to(self, slug: str) -> "StepPath":
        """Return the place of a step of the flow that runs here."""
        return str.__new__(StepPath, f"{self}.{slug}" if self else slug)

    def at(self, number: int | None) -> "StepPath":
        """Return the place of an item, by its index, or of an iteration, by its number from 1.

        >>> StepPath("pay").at(0), StepPath("pay").at(None)
        (StepPath('pay[0]'), StepPath('pay'))
        """
        return self if number is None else str.__new__(StepPath, f"{self}[{number}]")

    @property
    def scope(self) -> "StepPath":
        """The place of the scope that the step belongs to; empty for the run itself.

        >>> StepPath("payment[3].charge").scope, StepPath("charge").scope
        (StepPath('payment[3]'), StepPath(''))
        """
        return str.__new__(StepPath, self.rpartition(".")[0])

    @property
    def slug(self) -> str:
        """The slug of the step, without the number of an item or an iteration."""
        return self._last.partition("[")[0]

    @property
    def number(self) -> int | None:
        """The index of the item or the number of the iteration, if it is one.

        >>> StepPath("payment[3]").number, StepPath("payment[3].charge").number
        (3, None)
        """
        number = self._last.partition("[")[2]
        return int(number[:-1]) if number else None

    @property
    def step(self) -> "StepPath":
        """The place of the step that an item or an iteration belongs to; of a step, its own.

        >>> StepPath("payment[3]").step, StepPath("payment[3].charge").step
        (StepPath('payment'), StepPath('payment[3].charge'))
        """
        return str.__new__(StepPath, self.rpartition("[")[0]) if self.endswith("]") else self

    def from_outside(self) -> "Iterator[StepPath]":
        """Yield the places around a step and its own, the outermost first.

        >>> list(StepPath("payment[3].charge").from_outside())
        [StepPath('payment[3]'), StepPath('payment[3].charge')]
        """
        if self:
            yield from self.scope.from_outside()
            yield self

    def is_in(self, scope: str) -> bool:
        """Return whether it is a place itself, or lies somewhere in that scope.

        >>> StepPath("pay[3].charge").is_in("pay[3]"), StepPath("pay[3].charge").is_in("pay")
        (True, False)
        """
        return not scope or self == scope or self.startswith(f"{scope}.")

    def below(self, step: str) -> str | None:
        """Return how people call it who know the step around it; `None` if it lies elsewhere.

        >>> StepPath("pay.charge").below("pay"), StepPath("pay[3].charge").below("pay")
        ('charge', '[3].charge')
        """
        if not self.startswith((f"{step}.", f"{step}[")):
            return None
        return self.removeprefix(step).removeprefix(".")

    def __repr__(self) -> str:
        return f"StepPath({str.__repr__(self)})"

    @property
    def _last(self) -> str:
        return self.rpartition(".")[2]


RUN: Final = StepPath()
"""The place of the run itself, which is the outermost scope."""

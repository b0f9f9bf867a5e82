"""The map step: it runs once for each element of a list."""

from collections.abc import Iterator
from typing import ClassVar, Final, Literal

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.described import Examples
from dagster_pgflow.model.exact import Flag
from dagster_pgflow.model.steps.hooked import HookedFields, HookedStep

MOST_ELEMENTS: Final = 2**31 - 1
"""What an integer of SQL holds."""


class MapFields(HookedFields, total=False):
    """What a map step may say besides."""

    batch_size: int
    collect_errors: bool
    pipelined: bool
    max_failures: int
    max_failures_percent: int


class MapStep(HookedStep):
    """A step that runs once per element of a list: the flow input, or its dependency's output.

    Attributes:
        batch_size: How many elements one Dagster op handles; chosen by the size when absent.
        collect_errors: Whether an element whose last attempt failed leaves the step alone, and an
            error in its place.
        pipelined: Whether an element starts as soon as the map step before has done its own,
            instead of when all are done.
        max_failures: The step collects errors, as long as no more elements fail than this.
        max_failures_percent: The same, in percent of the elements.
    """

    builder: ClassVar[str] = "map"

    examples: ClassVar[Examples] = {
        "batch_size": 100,
        "max_failures": 5,
        "max_failures_percent": 10,
    }

    type: Literal["map"] = "map"
    batch_size: int | None = None
    collect_errors: Flag = False
    pipelined: Flag = False
    max_failures: int | None = None
    max_failures_percent: int | None = None

    @property
    def collects(self) -> bool:
        """Whether an element may fail without the step."""
        return self.collect_errors or self.bounds_failures

    @property
    def bounds_failures(self) -> bool:
        """Whether the step fails when too many of its elements do."""
        return self.max_failures is not None or self.max_failures_percent is not None

    def bears(self, failures: int, elements: int) -> bool:
        """Return whether so many failures among so many elements leave a step that collects alone.

        Args:
            failures: How many elements failed.
            elements: How many there are.
        """
        few = self.max_failures is None or failures <= self.max_failures
        percent = self.max_failures_percent
        return few and (percent is None or failures * 100 <= percent * elements)

    def problems(self) -> Iterator[Problem]:
        """Yield that it has several lists to map over, or a number out of range."""
        deps = tuple(dict.fromkeys(self.depends_on))
        if len(deps) > 1:
            yield Problem(
                "map-with-many-dependencies",
                f"steps.{self.slug}.depends_on",
                f'Map step "{self.slug}" can have at most one dependency, but {len(deps)} were'
                f" provided: {', '.join(deps)}.",
            )
        if self.batch_size is not None and not 1 <= self.batch_size <= MOST_ELEMENTS:
            yield Problem(
                "batch-size-out-of-range",
                f"steps.{self.slug}.batch_size",
                f"batch_size is {self.batch_size}; it must be from 1 to {MOST_ELEMENTS}.",
            )
        yield from self._problems_of_bounds()

    def _problems_of_bounds(self) -> Iterator[Problem]:
        if self.max_failures is not None and not 0 <= self.max_failures <= MOST_ELEMENTS:
            yield Problem(
                "max-failures-out-of-range",
                f"steps.{self.slug}.max_failures",
                f"max_failures is {self.max_failures}; it must be from 0 to {MOST_ELEMENTS}.",
            )
        percent = self.max_failures_percent
        if percent is not None and not 0 <= percent <= 100:
            yield Problem(
                "max-failures-out-of-range",
                f"steps.{self.slug}.max_failures_percent",
                f"max_failures_percent is {percent}; it must be from 0 to 100.",
            )

    def shown_manner(self) -> Iterator[str]:
        """Yield how it goes through its elements."""
        if self.batch_size:
            yield f"{self.batch_size} at a time"
        if self.pipelined:
            yield "pipelined"
        if self.collects:
            yield "collects errors" + self._shown_bounds()

    def _shown_bounds(self) -> str:
        percent = self.max_failures_percent
        bounds = [
            *([] if self.max_failures is None else [str(self.max_failures)]),
            *([] if percent is None else [f"{percent} %"]),
        ]
        return f" of at most {' and '.join(bounds)}" if bounds else ""

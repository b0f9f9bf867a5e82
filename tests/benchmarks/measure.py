"""Timing two ways of doing the same thing."""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

Work = Callable[[], object]
Clock = Callable[[], float]


@dataclass(frozen=True)
class Comparison:
    """The median seconds of two ways.

    Attributes:
        what: What was done.
        ours: With dagster_pgflow.
        plain: With plain Dagster.
    """

    what: str
    ours: float
    plain: float

    @property
    def overhead(self) -> float:
        """How much longer ours takes, in percent of the plain way."""
        return (self.ours / self.plain - 1) * 100


def seconds(work: Work, clock: Clock = time.perf_counter) -> float:
    """Returns how long one run takes.

    Args:
        work: What to do.
        clock: For work that only computes, `time.process_time` leaves out what others compute.
    """
    begun_at = clock()
    work()
    return clock() - begun_at


def median_seconds(work: Work, runs: int, clock: Clock = time.perf_counter) -> float:
    """Returns the median of several runs."""
    gc.collect()
    return statistics.median(seconds(work, clock) for _ in range(runs))


def compare(
    what: str, ours: Work, plain: Work, runs: int, clock: Clock = time.perf_counter
) -> Comparison:
    """Times two ways in turns, so that a busy moment of the machine meets both."""
    gc.collect()
    pairs = [(seconds(ours, clock), seconds(plain, clock)) for _ in range(runs)]
    return Comparison(
        what,
        statistics.median(pair[0] for pair in pairs),
        statistics.median(pair[1] for pair in pairs),
    )


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table."""
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*row)
    Console().print(table)

"""What became of a run, as the interpreter has it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from tests.reference.endings import Ending, StepEnd, Subrun
from tests.reference.working import Call


@dataclass(frozen=True)
class ExpectedRun:
    """What became of a run.

    Attributes:
        status: How the run ended.
        output: Its output; null unless it completed.
        steps: How each step ended, by its path.
        containers: The paths of those that contain others: subflows and loops.
        subruns: How each flow inside ended, by the path of its step; that of an item has its index.
        lists: How many items the subflows have that run once for each, by path; those that never
            knew are not there.
        calls: Every call of a handler.
    """

    status: Ending
    output: Any
    steps: dict[str, StepEnd]
    containers: Collection[str]
    subruns: dict[str, Subrun]
    lists: Mapping[str, int]
    calls: list[Call]

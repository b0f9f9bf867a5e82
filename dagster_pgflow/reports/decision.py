"""What a branch or a loop decided."""

from dataclasses import dataclass
from typing import Literal

from dagster_pgflow.model.execution import LoopEnd


@dataclass(frozen=True, slots=True)
class Decision:
    """What a branch or a loop decided.

    Attributes:
        taken: The steps that the run goes on with, of those that it need not go on with.
        rule: The number of the rule of a branch that holds, or `default`.
        again: Whether the body of a loop runs once more.
        ended_by: What ended the loop, when it ends.
        iteration: After which iteration of a loop that was, from 1.
        warnings: What was wrong with conditions, one sentence each.
        why: How the run goes on and why, in words; older reports do not say.
    """

    taken: tuple[str, ...] = ()
    rule: int | Literal["default"] | None = None
    again: bool | None = None
    ended_by: LoopEnd | None = None
    iteration: int | None = None
    warnings: tuple[str, ...] = ()
    why: str = ""

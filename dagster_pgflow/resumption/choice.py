"""How a run goes on: which steps a further run executes, and what it knows of those before."""

from collections.abc import Callable
from dataclasses import dataclass

from dagster_pgflow.compat import ExecutionPlanSnapshot, KnownExecutionState
from dagster_pgflow.resumption.past import Past
from dagster_pgflow.resumption.remaining import remaining_steps

Planned = Callable[[KnownExecutionState | None], ExecutionPlanSnapshot]
"""Returns the plan of all steps of a job, as far as is known what they fan out."""


@dataclass(frozen=True)
class Choice:
    """What a run executes that goes on with others.

    Attributes:
        step_keys: The steps; none where all are done, and only the end of the run is missing.
        state: What it takes over.
    """

    step_keys: tuple[str, ...]
    state: KnownExecutionState


def choose(past: Past, planned: Planned) -> Choice:
    """Choose what is left to do: all that is not done, and nothing else.

    Args:
        past: What has been done.
        planned: Plans the job.
    """
    bare = planned(None)
    left = remaining_steps(planned(past.state(bare)), past)
    return Choice(tuple(left), past.state(bare, left))

"""How a run goes on: which steps a further run executes, and what it knows of those before."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dagster_pgflow.compat import ExecutionPlanSnapshot, KnownExecutionState
from dagster_pgflow.resumption.completed import CompletedSteps
from dagster_pgflow.resumption.dagster_plan import known_state, planned_steps
from dagster_pgflow.resumption.remaining import remaining_steps

Planned = Callable[[KnownExecutionState | None], ExecutionPlanSnapshot]
"""Returns the plan of all steps of a job, as far as is known what they fan out."""


@dataclass(frozen=True)
class ResumePlan:
    """What a run executes that goes on with others.

    Attributes:
        step_keys: The steps; none where all are done, and only the end of the run is missing.
        state: What it takes over.
    """

    step_keys: tuple[str, ...]
    state: KnownExecutionState


def resume_plan(
    completed: CompletedSteps, planned: Planned, attempts: Mapping[str, int] | None = None
) -> ResumePlan:
    """Choose what is left to do: all that is not done, and nothing else.

    Args:
        completed: What has been done.
        planned: Plans the job.
        attempts: How often steps were tried before, where those attempts count.
    """
    bare = planned(None)
    whole = planned(known_state(completed, bare))
    left = remaining_steps(planned_steps(whole), completed)
    return ResumePlan(tuple(left), known_state(completed, bare, left, attempts))

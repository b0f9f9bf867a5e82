"""Where a run goes on when a step has failed, instead of failing itself.

A step says that of itself (`on_failure`, `on_timeout`), or a join says it of its dependencies: it
fails with them, when all of them have come to their ends, and goes on with its own failure step.
"""

from collections.abc import Iterable, Mapping

from dagster_pgflow.model.steps import JoinStep, Step
from dagster_pgflow.model.steps.fields import StepBase


def goes_on_with(steps: Iterable[StepBase], step: StepBase, *, timed_out: bool) -> str | None:
    """Return the step that a run goes on with when another one failed, if it goes on.

    Args:
        steps: The steps of its flow.
        step: The step that failed.
        timed_out: Whether its last attempt took too long.
    """
    return step.failure_step(timed_out=timed_out) or next(
        (join.slug for join in joins_catching(steps, step.slug)), None
    )


def joins_catching(steps: Iterable[StepBase], slug: str) -> Iterable[JoinStep]:
    """Yield the joins that fail with a step; in a sound flow there is one at most.

    Args:
        steps: The steps of its flow.
        slug: The step.
    """
    return (step for step in steps if isinstance(step, JoinStep) and slug in step.catches)


def failure_ends(steps: Mapping[str, Step]) -> dict[str, tuple[str, ...]]:
    """Return the steps that a run may go on with when a step failed, for each that has some.

    Args:
        steps: The steps of a flow by slug.
    """
    ends = {
        slug: tuple(dict.fromkeys(step.failure_steps.values()))
        for slug, step in steps.items()
        if step.failure_steps
    }
    for step in steps.values():
        for member in step.catches if isinstance(step, JoinStep) else ():
            ends.setdefault(member, (step.slug,))
    return ends


def waits_for_failure(step: StepBase, dep: StepBase) -> bool:
    """Return whether a step is one that a run goes on with when a dependency of it failed.

    A join that fails with its members waits for their success, too: it is none.
    """
    return step.slug in dep.failure_steps.values()

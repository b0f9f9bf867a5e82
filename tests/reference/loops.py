"""What loops repeat: the steps from the one that they go back to, up to the loop."""

from collections.abc import Iterable

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import LoopStep, Step


def behind(flow: Flow, begin: Iterable[str]) -> set[str]:
    """Return some steps and all that stand behind them."""
    reached = set(begin)
    while True:
        more = {step.slug for step in flow.steps if reached & set(step.depends_on)} - reached
        if not more:
            return reached
        reached |= more


def body_of(flow: Flow, loop: LoopStep) -> list[Step]:
    """Return the steps of a loop's body: those behind its first one that lead to the loop."""
    after = behind(flow, {loop.back_to})
    return [
        step for step in flow.steps if step.slug in after and loop.slug in behind(flow, {step.slug})
    ]


def parts_of(flow: Flow, steps: Iterable[Step], around: LoopStep | None) -> list[Step]:
    """Return the steps of a flow, or of a body, with each loop in it standing for its own body.

    Args:
        flow: The flow.
        steps: All its steps, or all steps of the body.
        around: The loop whose body it is; there it is the step that decides.
    """
    own = list(steps)
    bodies = {
        step.slug: {inner.slug for inner in body_of(flow, step)}
        for step in own
        if isinstance(step, LoopStep) and step is not around
    }
    return [
        step
        for step in own
        if not any(step.slug in body for loop, body in bodies.items() if loop != step.slug)
    ]


def needs_of(flow: Flow, part: Step, around: LoopStep | None) -> set[str]:
    """Return the steps that must have ended before a step or a first iteration begins."""
    if not isinstance(part, LoopStep) or part is around:
        return set(part.depends_on)
    body = body_of(flow, part)
    return {dep for step in body for dep in step.depends_on} - {step.slug for step in body}

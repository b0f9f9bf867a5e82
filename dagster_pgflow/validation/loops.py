"""A loop goes back to a step before it."""

from collections.abc import Collection, Iterator, Mapping

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import bodies_of, by_slug
from dagster_pgflow.model.steps import LoopStep, MapStep, Step
from dagster_pgflow.validation.meant import meant_among
from dagster_pgflow.validation.rule import KnownFlows


def loops_go_back(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check where each loop goes back to; what it repeats, another rule checks."""
    steps = by_slug(flow)
    loops = [step for step in flow.steps if isinstance(step, LoopStep)]
    bodies = bodies_of(steps, loops)
    for step in loops:
        yield from _of_start(step, steps, bodies[step.slug])


def loops_by_start(flow: Flow) -> dict[str, tuple[str, ...]]:
    """Return for each step that loops go back to their slugs.

    From the second iteration on it receives their outputs besides those of its dependencies.
    """
    found: dict[str, tuple[str, ...]] = {}
    for step in flow.steps:
        if isinstance(step, LoopStep) and step.max_iterations > 1:
            found[step.back_to] = (*found.get(step.back_to, ()), step.slug)
    return found


def _of_start(
    step: LoopStep, steps: Mapping[str, Step], body: Collection[str]
) -> Iterator[Problem]:
    path = f"steps.{step.slug}.back_to"
    stated = f'Loop "{step.slug}" goes back to "{step.back_to}"'
    first = steps.get(step.back_to)
    if first is None:
        hint = meant_among(step.back_to, steps)
        message = (
            f"{stated}{hint}, which is not a step of this flow; name one that comes before it."
        )
        yield Problem("loop-start-unknown", path, message)
    elif step.slug not in body:
        message = (
            f"{stated}, which does not come before it; let the loop depend on that step, or on one"
            " behind it."
        )
        yield Problem("loop-start-not-before", path, message)
    elif isinstance(first, MapStep):
        # From the second iteration on it receives the loop's output, too: an object.
        message = (
            f"{stated}, a map step, which would have no list to map over from the second iteration"
            " on;"
            " put a single step before it, and go back to that one."
        )
        yield Problem("loop-start-is-a-map", path, message)

"""A loop goes back to a step before it, a bounded number of times, and always decides."""

from collections.abc import Collection, Iterator, Mapping

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import bodies_of, by_slug
from dagster_pgflow.model.step import LoopStep, MapStep, Step
from dagster_pgflow.validation.rule import KnownFlows

MOST_ITERATIONS = 1_000


def loops_go_back(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check each loop by itself; what it repeats, another rule checks."""
    steps = by_slug(flow)
    loops = [step for step in flow.steps if isinstance(step, LoopStep)]
    bodies = bodies_of(steps, loops)
    for step in loops:
        yield from _of_start(step, steps, bodies[step.slug])
        yield from _of_passes(step)
        yield from _of_conduct(step)


def loops_by_start(flow: Flow) -> dict[str, tuple[str, ...]]:
    """Return for each step that loops go back to their slugs.

    From the second pass on it receives their outputs besides those of its dependencies.
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
        message = f"{stated}, which is no step of this flow; name one that comes before it."
        yield Problem("loop-start-unknown", path, message)
    elif step.slug not in body:
        message = (
            f"{stated}, which does not come before it; let the loop depend on that step, or on one"
            " behind it."
        )
        yield Problem("loop-start-not-before", path, message)
    elif isinstance(first, MapStep):
        # From the second pass on it receives the loop's output, too: an object.
        message = (
            f"{stated}, a map step, which would have no list to map over from the second pass on;"
            " put a single step before it, and go back to that one."
        )
        yield Problem("loop-start-is-a-map", path, message)


def _of_passes(step: LoopStep) -> Iterator[Problem]:
    if not 1 <= step.max_iterations <= MOST_ITERATIONS:
        yield Problem(
            "iterations-out-of-range",
            f"steps.{step.slug}.max_iterations",
            f"max_iterations is {step.max_iterations}; it must be from 1 to {MOST_ITERATIONS}.",
        )


def _of_conduct(step: LoopStep) -> Iterator[Problem]:
    given = {"if": step.if_, "if_not": step.if_not} | step.expressions
    for name in (name for name, condition in given.items() if condition is not None):
        yield Problem(
            "loop-with-condition",
            f"steps.{step.slug}.{name}",
            f'Loop "{step.slug}" decides after each pass and cannot be left out of one; move {name}'
            f' to "{step.back_to}", or to a step before the loop.',
        )
    if step.when_exhausted != "fail":
        yield Problem(
            "loop-that-is-skipped",
            f"steps.{step.slug}.when_exhausted",
            f'Loop "{step.slug}" cannot be skipped when its handler fails, since nothing would then'
            " say whether it goes on; leave when_exhausted out, or let a step before it do the"
            " work.",
        )

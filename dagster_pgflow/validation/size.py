"""A flow, with all that it contains, fits in one run.

A run holds every step of every flow inside, once for each iteration of the loops around it. A few
flows which contain each other twice each, or a few loops in loops, would make a job of millions of
steps, and end the code server of all other flows. A flow that is a run of its own is one step
there.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import LoopStep, SubflowStep
from dagster_pgflow.validation.loop_bodies import bodies_of
from dagster_pgflow.validation.rule import KnownFlows
from dagster_pgflow.validation.subflows import contained_flows

MOST_STEPS = 10_000
MOST_LEVELS = 50


def flow_fits_in_one_run(flow: Flow, known: KnownFlows) -> Iterator[Problem]:
    """Check how many steps a run of the flow has, and how deep its subflows lie."""
    try:
        steps, levels = _size(flow, known or {})
    except CycleError:
        return  # which another rule tells
    if steps > MOST_STEPS:
        message = (
            f"A run of this flow has {steps} steps with those of its subflows and of each iteration"
            f" of its loops; {MOST_STEPS} are the most. Let a map step do what many steps do, or"
            " lower max_iterations."
        )
        yield Problem("too-many-steps", "steps", message)
    if levels > MOST_LEVELS:
        message = f"Subflows lie in subflows {levels} levels deep; {MOST_LEVELS} are the most."
        yield Problem("too-many-levels", "steps", message)


def _size(flow: Flow, known: Mapping[str, Flow]) -> tuple[int, int]:
    """Return how many steps a flow has with all that it contains, and how many levels."""
    sizes: dict[str, tuple[int, int]] = {}
    for slug in TopologicalSorter(contained_flows(flow, known)).static_order():
        # One by one, because the flows of a code location are read when they are asked for.
        found = flow if slug == flow.slug else known.get(slug)
        sizes[slug] = (0, 1) if found is None else _size_of_one(found, sizes)
    return sizes[flow.slug]


def _size_of_one(flow: Flow, sizes: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
    times = _iterations(flow)
    count, levels = 0, 0
    for step in flow.steps:
        inner_steps, inner_levels = sizes[step.flow] if isinstance(step, SubflowStep) else (1, 0)
        is_alone = isinstance(step, SubflowStep) and step.is_child_run
        count += (1 if is_alone else inner_steps) * times[step.slug]
        levels = max(levels, inner_levels)
    return count, 1 + levels


def _iterations(flow: Flow) -> Counter[str]:
    """Return how often each step stands in a run: once for each iteration around it."""
    times = Counter({step.slug: 1 for step in flow.steps})
    bodies = bodies_of(flow)
    for step in flow.steps:
        if isinstance(step, LoopStep):
            # An iteration that is a run of its own has its steps for itself alone.
            iterations = 1 if step.runs_iterations(in_items=False) else max(step.max_iterations, 1)
            for slug in bodies.get(step.slug, ()):
                times[slug] *= iterations
    return times

"""A flow, with all that it contains, fits in one run.

A run holds every step of every flow inside, so that a few flows which contain each other twice
each would make a job of millions of steps, and end the code server of all other flows.
"""

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.step import SubflowStep
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
            f"A run of this flow has {steps} steps with those of its subflows; {MOST_STEPS} are"
            " the most. Let a map step do what many steps do."
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
        all_steps = () if found is None else found.steps
        inner = [sizes[step.flow] for step in all_steps if isinstance(step, SubflowStep)]
        own = len(all_steps) - len(inner)
        steps = own + sum(steps for steps, _ in inner)
        sizes[slug] = steps, 1 + max((levels for _, levels in inner), default=0)
    return sizes[flow.slug]

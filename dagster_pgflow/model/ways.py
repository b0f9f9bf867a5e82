"""The ways on which a run goes on behind a step: which steps lie on one, and which on another.

Behind a branch, a loop or a subflow with a failure step the run takes some ways and not others.
A step that several of them lead to runs with what those bring that were taken. They need not always
exclude each other: one rule of a branch may take two of them, and another only one. Then the step
behind both goes with the run, as its rules have it, and does not stay behind for the other way.
"""

from collections.abc import Iterable, Mapping

from dagster_pgflow.model.graph import reach
from dagster_pgflow.model.step import Step, SubflowStep

Ways = frozenset[str]
"""Ways behind one step, each called like the step that it begins with."""


def begins_of(steps: Mapping[str, Step], branching: Step) -> tuple[str, ...]:
    """Return the steps that the ways behind a step begin with.

    Args:
        steps: The steps of a flow by slug.
        branching: One of them.
    """
    if not isinstance(branching, SubflowStep):
        return branching.targets
    if branching.on_failure is None:
        return ()
    return tuple(step.slug for step in steps.values() if branching.slug in step.depends_on)


def is_joined(
    steps: Mapping[str, Step], slug: str, missing: str, arrived: Iterable[str], behind: str
) -> bool:
    """Say whether a step runs without a dependency that the run did not come by.

    It does when another dependency that did arrive lies on another way: each of the two on one on
    which the other does not.

    Args:
        steps: The steps of the flow by slug.
        slug: The step.
        missing: The dependency.
        arrived: The dependencies that are there.
        behind: The step behind which the run took another way than to the missing one.
    """
    reached = {begin: reach(steps, [begin]) for begin in begins_of(steps, steps[behind])}

    def ways_to(dep: str) -> Ways:
        # Straight from the step that branches to this one is a way too.
        if dep == behind:
            return frozenset({slug}) & reached.keys()
        return frozenset(begin for begin, found in reached.items() if dep in found)

    lost = ways_to(missing)
    return any(lost - found and found - lost for found in map(ways_to, arrived))

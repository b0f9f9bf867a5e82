"""The routes on which a run goes on behind a step: which steps lie on one, and which on another.

Behind a branch, a loop or a step with a failure step the run takes some routes and not others. A
step that several of them lead to runs with what those bring that were taken. They need not always
exclude each other: one rule of a branch may take two of them, and another only one. Then the step
behind both goes with the run, as its rules have it, and does not stay behind for the other route.
"""

from collections.abc import Collection, Iterable, Mapping

from dagster_pgflow.model.failures import failure_ends
from dagster_pgflow.model.graph import reach
from dagster_pgflow.model.steps import Step

Routes = frozenset[str]
"""Routes behind one step, each called like the step that it begins with."""


def forks_in(steps: Mapping[str, Step]) -> dict[str, Step]:
    """Return the steps behind which a run takes some routes and not others, by slug.

    Args:
        steps: The steps of a flow by slug.
    """
    ends = failure_ends(steps)
    return {slug: step for slug, step in steps.items() if step.targets or slug in ends}


def begins_of(steps: Mapping[str, Step], branching: Step) -> tuple[str, ...]:
    """Return the steps that the routes behind a step begin with.

    Args:
        steps: The steps of a flow by slug.
        branching: One of them.
    """
    failing = _behind_failure(steps, branching)
    return tuple(dict.fromkeys([*branching.targets, *failing]))


def is_joined(
    steps: Mapping[str, Step], slug: str, missing: str, arrived: Iterable[str], behind: str
) -> bool:
    """Return whether a step runs without a dependency that the run did not come by.

    It does when another dependency that did arrive lies on another route: each of the two on one on
    which the other does not.

    Args:
        steps: The steps of the flow by slug.
        slug: The step.
        missing: The dependency.
        arrived: The dependencies that are there.
        behind: The step behind which the run took another route than to the missing one.
    """
    others = tuple(arrived)
    branching = steps[behind]
    decided = {begin: reach(steps, [begin]) for begin in branching.targets}
    failing = _behind_failure(steps, branching)

    def exclude(reached: Mapping[str, set[str]], some: Collection[str]) -> bool:
        """Return whether the two lie on routes of their own, of which some is one."""

        def routes_to(dep: str) -> Routes:
            # Straight from the step that branches to this one is a route too.
            if dep == behind:
                return frozenset({slug}) & reached.keys()
            return frozenset(begin for begin, found in reached.items() if dep in found)

        lost = routes_to(missing)
        return any(
            lost - found and found - lost and not (lost ^ found).isdisjoint(some)
            for found in map(routes_to, others)
        )

    return exclude(decided, decided) or exclude(failing, failure_ends(steps).get(behind, ()))


def _behind_failure(steps: Mapping[str, Step], step: Step) -> dict[str, set[str]]:
    """Return what stands on each route behind a step that may fail while the run goes on.

    What goes on with a failure of the step stands on no other of these routes, though others may
    lead there too: their failures are not those of the step.
    """
    ends = failure_ends(steps).get(step.slug)
    if ends is None:
        return {}
    begins = [other.slug for other in steps.values() if step.slug in other.depends_on]
    return {
        begin: reach({s: steps[s] for s in steps if s == begin or s not in ends}, [begin])
        for begin in begins
    }

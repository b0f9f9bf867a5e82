"""A step is not left behind without a word, because one of its dependencies lies on another route.

A step that depends on what lies behind a branch, and on something that has nothing to do with it,
is skipped when the branch leads elsewhere: a dependency may be there for its order as well as for
its data. What looks back on its own route, to a step before the branch, is meant so; and so is a
step that the branch itself names.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import JoinStep, MapStep, Step
from dagster_pgflow.validation.lint.outcomes import MOST_COMPARED, Outcomes
from dagster_pgflow.validation.lint.route_sets import Fork, RouteSets
from dagster_pgflow.validation.rule import KnownFlows


@dataclass(frozen=True)
class LeftBehind:
    """How a step may be left behind.

    Attributes:
        fork: What leads elsewhere.
        missing: The dependency that the run does not come by then.
        arrived: The dependency that has run nevertheless.
    """

    fork: Fork
    missing: str
    arrived: str


def steps_are_not_left_behind(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Look for steps that are skipped although something that they depend on has run."""
    try:
        lie = RouteSets.of(flow)
    except CycleError:
        return
    outcomes = Outcomes(lie)
    for step in flow.steps:
        if isinstance(step, JoinStep) and step.least is not None:
            continue
        by_fork = (_left_behind(step.slug, fork, outcomes) for fork in lie.forks_between(step.slug))
        found = next(filter(None, by_fork), None)
        if found is not None:
            yield _warning(step, found, lie)


def _left_behind(slug: str, fork: Fork, outcomes: Outcomes) -> LeftBehind | None:
    """Return how a step is left behind by a fork, if it may be."""
    lie = outcomes.lie
    for outcome in outcomes.of(fork):
        for missing in outcome.missing(slug):
            if lie.names(missing, slug):
                continue
            for dep in lie.deps[slug][:MOST_COMPARED]:
                if (
                    outcome.arrives(dep, slug)
                    and not lie.is_before(dep, missing)
                    and not lie.exclude_each_other(dep, fork.slug)
                ):
                    return LeftBehind(fork, missing, dep)
    return None


def _warning(step: Step, found: LeftBehind, lie: RouteSets) -> Problem:
    if isinstance(step, JoinStep):
        advice = 'let it wait for "any" of them, or for a number'
    else:
        advice = 'put a join before it that waits for "any" of them, or for a number'
    meant = _advice_where_it_is_meant(found, lie)
    return Problem(
        "left-behind",
        f"steps.{step.slug}.depends_on",
        f'Step "{step.slug}" is skipped when "{found.fork.slug}" does not take the route to'
        f' "{found.missing}", although "{found.arrived}" has run; where it is to run then,'
        f" {advice}{meant}.",
    )


def _advice_where_it_is_meant(found: LeftBehind, lie: RouteSets) -> str:
    """Return what to write where the step is to be skipped: let its route begin with both."""
    routes = lie.lies_on[found.missing]
    begin = next((slug for slug, route in found.fork.begins.items() if route & routes), None)
    is_always_there = lie.lies_on[found.arrived] in (0, lie.lies_on[found.fork.slug])
    if begin is None or not is_always_there or isinstance(lie.steps[begin], MapStep):
        return ""
    return f'; where not, let "{begin}" depend on "{found.arrived}" too'

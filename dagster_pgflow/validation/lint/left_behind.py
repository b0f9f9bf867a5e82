"""A step is not left behind without a word, because one of its dependencies lies on another way.

A step that depends on what lies behind a branch, and on something that has nothing to do with it,
is skipped when the branch leads elsewhere: a dependency may be there for its order as well as for
its data. What looks back on its own way, to a step before the branch, is meant so; and so is a step
that the branch itself names.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.step import JoinStep, MapStep, Step
from dagster_pgflow.validation.lint.lie_of_ways import Fork, LieOfWays
from dagster_pgflow.validation.rule import KnownFlows

MOST_COMPARED = 50
"""Of the dependencies of a step: so many are enough to find an example."""


@dataclass(frozen=True)
class Loss:
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
        lie = LieOfWays.of(flow)
    except CycleError:
        return
    for step in flow.steps:
        if isinstance(step, JoinStep) and step.least is not None:
            continue
        losses = (_loss(step.slug, fork, lie) for fork in lie.forks_between(step.slug))
        loss = next(filter(None, losses), None)
        if loss is not None:
            yield _warning(step, loss, lie)


def _loss(slug: str, fork: Fork, lie: LieOfWays) -> Loss | None:
    """Return how a step is left behind by a fork, if it may be."""
    ways_to = {dep: lie.ways_to(dep, slug, fork) for dep in lie.deps[slug][:MOST_COMPARED]}
    for choice in fork.choices:
        arrived = [dep for dep, ways in ways_to.items() if not ways or ways & choice]
        for missing, ways in ways_to.items():
            if missing in arrived or lie.names(missing, slug):
                continue
            if any(ways & ~ways_to[dep] and ways_to[dep] & ~ways for dep in arrived):
                continue  # Ways meet here, and another one was taken.
            for dep in arrived:
                if not lie.is_before(dep, missing) and not lie.exclude_each_other(dep, fork.slug):
                    return Loss(fork, missing, dep)
    return None


def _warning(step: Step, loss: Loss, lie: LieOfWays) -> Problem:
    if isinstance(step, JoinStep):
        advice = 'let it wait for "any" of them, or for a number'
    else:
        advice = 'put a join before it that waits for "any" of them, or for a number'
    meant = _advice_where_it_is_meant(loss, lie)
    return Problem(
        "left-behind",
        f"steps.{step.slug}.depends_on",
        f'Step "{step.slug}" is skipped when "{loss.fork.slug}" does not take the way to'
        f' "{loss.missing}", although "{loss.arrived}" has run; where it is to run then,'
        f" {advice}{meant}.",
    )


def _advice_where_it_is_meant(loss: Loss, lie: LieOfWays) -> str:
    """Return what to write where the step is to be skipped: let its way begin with both."""
    ways = lie.lies_on[loss.missing]
    begin = next(slug for slug, way in loss.fork.begins.items() if way & ways)
    is_always_there = lie.lies_on[loss.arrived] in (0, lie.lies_on[loss.fork.slug])
    if not is_always_there or isinstance(lie.steps[begin], MapStep):
        return ""
    return f'; where not, let "{begin}" depend on "{loss.arrived}" too'

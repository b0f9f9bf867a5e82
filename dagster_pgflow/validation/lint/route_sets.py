"""Which steps lie on which routes behind those that decide, for all of a flow in one go.

A set of routes is an integer with a bit for each, because a flow may have thousands of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import Self, assert_never

from dagster_pgflow.model.failures import failure_ends
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug, dependents, in_order, known_deps
from dagster_pgflow.model.steps import (
    BranchStep,
    JoinStep,
    LoopStep,
    MapStep,
    SingleStep,
    SleepStep,
    Step,
    SubflowStep,
    WaitingStep,
)

Routes = int
"""Routes, each by a bit of its own: one step behind another that it begins with."""


@dataclass(frozen=True)
class Fork:
    """A step that decides how the run goes on.

    Attributes:
        slug: The step.
        begins: The routes behind it, by the steps that they begin with.
        choices: The routes that the run may take, once for each outcome.
    """

    slug: str
    begins: Mapping[str, Routes]
    choices: Sequence[Routes]

    @property
    def routes(self) -> Routes:
        """All routes behind it."""
        return reduce(or_, self.begins.values(), 0)


@dataclass(frozen=True)
class RouteSets:
    """How the routes of a flow lie.

    Attributes:
        steps: The steps of the flow.
        deps: The dependencies of each step, steps behind their dependencies.
        forks: The steps that decide.
        lies_on: For each step the routes that it lies on: no run comes by it on others alone.
        led_by: For each step the routes that lead to it, over others too.
    """

    steps: Mapping[str, Step]
    deps: Mapping[str, tuple[str, ...]]
    forks: Mapping[str, Fork]
    lies_on: Mapping[str, Routes]
    led_by: Mapping[str, Routes]
    _behind: Sequence[str]
    _before: Mapping[str, int]

    @classmethod
    def of(cls, flow: Flow) -> Self:
        """Return how the routes of a flow lie.

        Raises:
            graphlib.CycleError: The dependencies form a cycle.
        """
        forks: dict[str, Fork] = {}
        behind: list[str] = []
        for slug, paths in _outcomes(flow).items():
            named = dict.fromkeys(begin for path in paths for begin in path)
            begins = {begin: 1 << (len(behind) + place) for place, begin in enumerate(named)}
            choices = [sum(begins[begin] for begin in set(path)) for path in paths]
            forks[slug] = Fork(slug, begins, choices)
            behind += [slug] * len(begins)
        steps, known = by_slug(flow), known_deps(flow)
        deps = {step.slug: known[step.slug] for step in in_order(flow)}
        lies_on: dict[str, Routes] = {}
        led_by: dict[str, Routes] = {}
        before: dict[str, int] = {}
        for number, step in enumerate(steps[slug] for slug in deps):
            slug, own = step.slug, deps[step.slug]
            begun = [forks[dep].begins.get(slug, 0) if dep in forks else 0 for dep in own]
            lain_on = [lies_on[dep] | begin for dep, begin in zip(own, begun, strict=True)]
            led_by[slug] = reduce(or_, (led_by[dep] for dep in own), reduce(or_, begun, 0))
            # What waits for some of its dependencies lies on a route only if they all do.
            waits_for_some = isinstance(step, JoinStep) and step.least is not None and own
            lies_on[slug] = reduce(and_, lain_on) if waits_for_some else reduce(or_, lain_on, 0)
            before[slug] = reduce(or_, (before[dep] for dep in own), 1 << number)
        return cls(steps, deps, forks, lies_on, led_by, behind, before)

    def forks_between(self, slug: str) -> Iterator[Fork]:
        """Yield those that decide by which of its dependencies a run comes to a step."""
        deps = self.deps[slug]
        if len(deps) > 1:
            some = reduce(or_, (self.led_by[dep] for dep in deps))
            yield from self._forks_of(some & ~reduce(and_, (self.lies_on[dep] for dep in deps)))

    def routes_to(self, dep: str, slug: str, fork: Fork) -> Routes:
        """Return the routes behind a fork by which a dependency brings a run to a step."""
        # Straight from the fork to the step is a route too.
        return fork.begins.get(slug, 0) if dep == fork.slug else self.led_by[dep] & fork.routes

    def names(self, dep: str, slug: str) -> bool:
        """Return whether a dependency is a fork that leads to the step itself."""
        return dep in self.forks and slug in self.forks[dep].begins

    def is_before(self, slug: str, other: str) -> bool:
        """Return whether a step is one that another depends on, over others too."""
        return self._before[slug] | self._before[other] == self._before[other]

    def exclude_each_other(self, slug: str, other: str) -> bool:
        """Return whether no run comes by both of two steps."""
        one, two = self.lies_on[slug], self.lies_on[other]
        return any(
            two & fork.routes and not any(choice & one and choice & two for choice in fork.choices)
            for fork in self._forks_of(one)
        )

    def _forks_of(self, routes: Routes) -> Iterator[Fork]:
        while routes:
            fork = self.forks[self._behind[routes.bit_length() - 1]]
            yield fork
            routes &= ~fork.routes


def _outcomes(flow: Flow) -> dict[str, list[list[str]]]:
    """Return where each step that decides may lead, without steps that do not exist."""
    steps, behind = by_slug(flow), dependents(flow)
    ends = failure_ends(steps)
    outcomes: dict[str, list[list[str]]] = {}
    for step in flow.steps:
        match step:
            case BranchStep() | LoopStep():
                paths = [
                    [slug for slug in path if slug in step.targets] for path in step.routes.values()
                ]
            case (
                SingleStep() | MapStep() | JoinStep() | SubflowStep() | WaitingStep() | SleepStep()
            ):
                others = [other.slug for other in behind[step.slug]]
                paths = [[slug for slug in others if slug not in step.routed]]
            case _:
                assert_never(step)
        paths += [[end] for end in ends.get(step.slug, ())]
        if len(paths) == 1 and not step.targets:
            continue  # It decides nothing.
        outcomes[step.slug] = [[slug for slug in path if slug in steps] for path in paths]
    return outcomes

"""Which steps lie on which ways behind those that decide, for all of a flow in one go.

A set of ways is an integer with a bit for each, because a flow may have thousands of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import Self

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug, dependents, in_order, known_deps
from dagster_pgflow.model.step import BranchStep, JoinStep, LoopStep, Step, SubflowStep

Ways = int
"""Ways, each by a bit of its own: one step behind another that it begins with."""


@dataclass(frozen=True)
class Fork:
    """A step that decides how the run goes on.

    Attributes:
        slug: The step.
        begins: The ways behind it, by the steps that they begin with.
        choices: The ways that the run may take, once for each outcome.
    """

    slug: str
    begins: Mapping[str, Ways]
    choices: Sequence[Ways]

    @property
    def ways(self) -> Ways:
        """All ways behind it."""
        return reduce(or_, self.begins.values(), 0)


@dataclass(frozen=True)
class LieOfWays:
    """How the ways of a flow lie.

    Attributes:
        steps: The steps of the flow.
        deps: The dependencies of each step.
        forks: The steps that decide.
        lies_on: For each step the ways that it lies on.
    """

    steps: Mapping[str, Step]
    deps: Mapping[str, tuple[str, ...]]
    forks: Mapping[str, Fork]
    lies_on: Mapping[str, Ways]
    _behind: Sequence[str]
    _before: Mapping[str, int]

    @classmethod
    def of(cls, flow: Flow) -> Self:
        """Return how the ways of a flow lie.

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
        steps, deps = by_slug(flow), known_deps(flow)
        lies_on: dict[str, Ways] = {}
        before: dict[str, int] = {}
        for number, step in enumerate(in_order(flow)):
            own = [
                lies_on[dep] | (forks[dep].begins.get(step.slug, 0) if dep in forks else 0)
                for dep in deps[step.slug]
            ]
            # What waits for some of its dependencies lies on a way only if they all do.
            waits_for_some = isinstance(step, JoinStep) and step.least is not None and own
            lies_on[step.slug] = reduce(and_, own) if waits_for_some else reduce(or_, own, 0)
            before[step.slug] = reduce(or_, (before[dep] for dep in deps[step.slug]), 1 << number)
        return cls(steps, deps, forks, lies_on, behind, before)

    def forks_between(self, slug: str) -> Iterator[Fork]:
        """Yield those that decide by which of its dependencies a run comes to a step."""
        of_deps = [self.lies_on[dep] for dep in self.deps[slug]]
        if len(of_deps) > 1:
            yield from self._forks_of(reduce(or_, of_deps) & ~reduce(and_, of_deps))

    def ways_to(self, dep: str, slug: str, fork: Fork) -> Ways:
        """Return the ways behind a fork by which a dependency brings a run to a step."""
        # Straight from the fork to the step is a way too.
        return fork.begins.get(slug, 0) if dep == fork.slug else self.lies_on[dep] & fork.ways

    def names(self, dep: str, slug: str) -> bool:
        """Say whether a dependency is a fork that leads to the step itself."""
        return dep in self.forks and slug in self.forks[dep].begins

    def is_before(self, slug: str, other: str) -> bool:
        """Say whether a step is one that another depends on, over others too."""
        return self._before[slug] | self._before[other] == self._before[other]

    def exclude_each_other(self, slug: str, other: str) -> bool:
        """Say whether no run comes by both of two steps."""
        one, two = self.lies_on[slug], self.lies_on[other]
        return any(
            two & fork.ways and not any(choice & one and choice & two for choice in fork.choices)
            for fork in self._forks_of(one)
        )

    def _forks_of(self, ways: Ways) -> Iterator[Fork]:
        while ways:
            fork = self.forks[self._behind[ways.bit_length() - 1]]
            yield fork
            ways &= ~fork.ways


def _outcomes(flow: Flow) -> dict[str, list[list[str]]]:
    """Return where each step that decides may lead, without steps that do not exist."""
    steps, behind = by_slug(flow), dependents(flow)
    outcomes: dict[str, list[list[str]]] = {}
    for step in flow.steps:
        match step:
            case BranchStep() | LoopStep():
                paths = [
                    [slug for slug in path if slug in step.targets] for path in step.ways.values()
                ]
            case SubflowStep(on_failure=str(failure_step)):
                others = [other.slug for other in behind[step.slug] if other.slug != failure_step]
                paths = [others, [failure_step]]
            case _:
                continue
        outcomes[step.slug] = [[slug for slug in path if slug in steps] for path in paths]
    return outcomes

"""What a run comes by when a step that decides leads it to some of the routes behind it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from dagster_pgflow.model.steps import JoinStep
from dagster_pgflow.validation.lint.route_sets import Fork, Routes, RouteSets

MOST_COMPARED: Final = 50
"""Of the dependencies of a step: so many are enough to find an example."""


@dataclass(frozen=True)
class Outcome:
    """One outcome of a fork, whatever the other forks decide.

    Attributes:
        lie: How the routes of the flow lie.
        fork: What decides.
        choice: The routes that the run takes.
        lost: The steps that it cannot come by then.
    """

    lie: RouteSets
    fork: Fork
    choice: Routes
    lost: Collection[str]

    @classmethod
    def of(cls, lie: RouteSets, fork: Fork, choice: Routes) -> Self:
        """Return what an outcome of a fork leads to."""
        lost: set[str] = set()
        outcome = cls(lie, fork, choice, lost)
        # In their order: whether a step is lost depends on whether those before it are.
        for slug in lie.deps:
            if outcome.is_lost(slug):
                lost.add(slug)
        return outcome

    def is_lost(self, slug: str) -> bool:
        """Return whether the run does not come by a step, those before it being known."""
        step, deps = self.lie.steps[slug], self.lie.deps[slug]
        if isinstance(step, JoinStep) and step.least is not None:
            return sum(self.arrives(dep, slug) for dep in deps) < step.least
        return next(iter(self.missing(slug)), None) is not None

    def arrives(self, dep: str, slug: str) -> bool:
        """Return whether a run may come to a step by one of its dependencies."""
        if dep == self.fork.slug:
            return bool(self.lie.routes_to(dep, slug, self.fork) & self.choice) or (
                slug not in self.fork.begins
            )
        return dep not in self.lost

    def missing(self, slug: str) -> list[str]:
        """Return the dependencies for want of which a step is skipped.

        Where routes of the fork meet, nothing is missing of those that are not taken.
        """
        lie, fork = self.lie, self.fork
        deps = lie.deps[slug][:MOST_COMPARED]
        away = [dep for dep in deps if not self.arrives(dep, slug)]
        if not away:
            return []
        routes = {dep: lie.routes_to(dep, slug, fork) for dep in deps}
        here = [routes[dep] for dep in deps if dep not in away]
        return [
            dep
            for dep in away
            if not any(other & ~routes[dep] and routes[dep] & ~other for other in here)
        ]


@dataclass(frozen=True)
class Outcomes:
    """The outcomes of the forks of a flow, each found once."""

    lie: RouteSets
    _found: dict[tuple[str, Routes], Outcome] = field(default_factory=dict)

    def of(self, fork: Fork) -> Sequence[Outcome]:
        """Return all outcomes of a fork."""
        return [self._of(fork, choice) for choice in fork.choices]

    def _of(self, fork: Fork, choice: Routes) -> Outcome:
        if (fork.slug, choice) not in self._found:
            self._found[fork.slug, choice] = Outcome.of(self.lie, fork, choice)
        return self._found[fork.slug, choice]

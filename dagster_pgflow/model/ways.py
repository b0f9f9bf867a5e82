"""The ways through a flow: from a step at its root to one that nothing depends on.

There may be more of them than anybody can list, so they come one by one, and how many there are is
counted without them. Loops are passed once; where they lead back to is said apart.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug, in_order, known_deps
from dagster_pgflow.model.steps import BranchStep, LoopStep, Step

MOST_COUNTED: Final = 10**15


@dataclass(frozen=True)
class Passed:
    """A step on a way.

    Attributes:
        step: Its slug.
        route: What the route to it is called, where the step before decides about it.
    """

    step: str
    route: str | None = None


Way = tuple[Passed, ...]


def ways_through(flow: Flow) -> Iterator[Way]:
    """Yield the ways through a flow, each step in the order in which it is written.

    Raises:
        graphlib.CycleError: The dependencies form a cycle.
    """
    in_order(flow)
    behind = passed_behind(flow)
    roots = [slug for slug, deps in known_deps(flow).items() if not deps]
    for root in roots:
        way = [Passed(root)]
        waiting = [iter(behind[root])]
        if not behind[root]:
            yield tuple(way)
        while waiting:
            passed = next(waiting[-1], None)
            if passed is None:
                waiting.pop()
                way.pop()
                continue
            way.append(passed)
            waiting.append(iter(behind[passed.step]))
            if not behind[passed.step]:
                yield tuple(way)


def count_ways(flow: Flow) -> int:
    """Return how many ways there are, in time linear in steps and dependencies.

    Of more than `MOST_COUNTED` it is only said that there are more: that number and one.
    """
    behind = passed_behind(flow)
    counts: dict[str, int] = {}
    for step in reversed(in_order(flow)):
        count = sum(counts[passed.step] for passed in behind[step.slug]) or 1
        counts[step.slug] = min(count, MOST_COUNTED + 1)
    count = sum(counts[slug] for slug, deps in known_deps(flow).items() if not deps)
    return min(count, MOST_COUNTED + 1)


def passed_behind(flow: Flow) -> Mapping[str, tuple[Passed, ...]]:
    """Return what comes behind each step: a step once for each route that leads to it."""
    steps = by_slug(flow)
    found: dict[str, list[Passed]] = {slug: [] for slug in steps}
    for slug, deps in known_deps(flow).items():
        for dep in deps:
            found[dep] += [Passed(slug, route) for route in _routes(steps[dep], slug)]
    return {slug: tuple(passed) for slug, passed in found.items()}


def way_in_words(way: Way) -> str:
    """Return a way on one line.

    >>> way_in_words((Passed("check"), Passed("charge", "paid"), Passed("receipt")))
    'check -(paid)-> charge -> receipt'
    """
    first, *rest = way
    return first.step + "".join(
        f" -> {passed.step}" if passed.route is None else f" -({passed.route})-> {passed.step}"
        for passed in rest
    )


def loops_of(flow: Flow) -> Iterator[LoopStep]:
    """Yield the loops of a flow."""
    yield from (step for step in flow.steps if isinstance(step, LoopStep))


def _routes(step: Step, target: str) -> list[str | None]:
    """Return what the routes from a step to one that depends on it are called."""
    found: list[str | None] = []
    if isinstance(step, BranchStep):
        found += [
            rule.label or f"rule {number}"
            for number, rule in enumerate(step.rules, 1)
            if target in rule.then
        ]
        found += ["default"] if target in step.default_path else []
    elif isinstance(step, LoopStep) and target in step.targets:
        found += ["break" if target in step.break_path else "timeout"]
    for field, route in (("on_failure", "failure"), ("on_timeout", "timeout")):
        if getattr(step, field, None) == target:
            found.append(route)
    return found or [None]

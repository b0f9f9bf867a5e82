"""A step that two others lead to is reached by each of them alone only where that is said."""

from collections.abc import Iterator, Mapping

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug, known_deps
from dagster_pgflow.model.routes import forks_in
from dagster_pgflow.model.steps import JoinStep, Step
from dagster_pgflow.validation.rule import KnownFlows


def targets_have_one_leader(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Look for steps that run only when two steps lead to them that do not exclude each other."""
    leaders: dict[str, list[str]] = {}
    for step in flow.steps:
        for led in step.targets:
            leaders.setdefault(led, []).append(step.slug)
    shared = {slug: led_by for slug, led_by in leaders.items() if len(led_by) > 1}
    if not shared:
        return
    steps, deps = by_slug(flow), known_deps(flow)
    for slug, led_by in shared.items():
        target = steps.get(slug)
        if target is None or (isinstance(target, JoinStep) and target.least is not None):
            continue
        if not _have_something_in_common(led_by, steps, deps):
            named = " and ".join(f'"{leader}"' for leader in led_by)
            yield Problem(
                "target-of-many",
                f"steps.{slug}.depends_on",
                f'Step "{slug}" is what {named} lead to, and runs only when all of them do; where'
                ' one is enough, let it be a join that waits for "any".',
            )


def _have_something_in_common(
    led_by: list[str], steps: Mapping[str, Step], deps: Mapping[str, tuple[str, ...]]
) -> bool:
    """Return whether the run may have to choose between some steps."""
    before = [_before(slug, deps) for slug in led_by]
    deciding = set.union(*before) & forks_in(steps).keys()
    return any(sum(slug in found for found in before) > 1 for slug in deciding)


def _before(slug: str, deps: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Return a step and all that it depends on, over others too."""
    found: set[str] = set()
    waiting = [slug]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            waiting += deps[current]
    return found

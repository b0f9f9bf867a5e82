"""A step depends on other steps of its flow."""

from collections.abc import Iterator, Mapping

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.meant import meant_among
from dagster_pgflow.validation.rule import KnownFlows


def dependencies_exist(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check that each dependency names another step of the flow."""
    slugs = {step.slug for step in flow.steps}
    for step in flow.steps:
        path = f"steps.{step.slug}.depends_on"
        for dep in dict.fromkeys(step.depends_on):
            if dep == step.slug:
                yield Problem("self-dependency", path, f'Step "{dep}" depends on itself.')
            elif dep not in slugs:
                hint = meant_among(dep, slugs)
                message = (
                    f'Step "{step.slug}" depends on "{dep}"{hint}, which is not a step of this'
                    " flow."
                )
                yield Problem("unknown-dependency", path, message)


def stands_behind(slug: str, other: str, deps: Mapping[str, tuple[str, ...]]) -> bool:
    """Return whether a step depends on another one, over others too.

    Args:
        slug: The step.
        other: The other one; a step stands behind itself.
        deps: For each step those that it depends on.
    """
    seen: set[str] = set()
    waiting = [slug]
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen.add(current)
            waiting += deps[current]
    return other in seen

"""The routes behind a branch or a loop lead to steps that wait for it."""

from collections.abc import Iterator, Mapping

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug, known_deps
from dagster_pgflow.model.steps import Step
from dagster_pgflow.validation.dependencies import stands_behind
from dagster_pgflow.validation.meant import meant_among
from dagster_pgflow.validation.rule import KnownFlows


def routes_lead_to_steps(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check each step that a rule, or a path, names."""
    steps = by_slug(flow)
    failing = {
        failure_step: step.slug
        for step in reversed(flow.steps)
        for failure_step in step.failure_steps.values()
    }
    for step in flow.steps:
        for field, slugs in step.routes.items():
            for slug in dict.fromkeys(slugs):
                found = _problem(step, slug, steps, flow) or _of_failure(slug, failing)
                if found is not None:
                    code, advice = found
                    hint = "" if slug in steps else meant_among(slug, steps)
                    stated = f'{step.type.capitalize()} "{step.slug}" leads to "{slug}"{hint}'
                    message = f"{stated}, {advice}."
                    yield Problem(code, f"steps.{step.slug}.{field}", message)


def _problem(
    step: Step, slug: str, steps: Mapping[str, Step], flow: Flow
) -> tuple[str, str] | None:
    """Return a code, and what is wrong with a step that a route leads to."""
    target = steps.get(slug)
    if target is None:
        return "target-unknown", "which is not a step of this flow; add it, depending on this step"
    if slug == step.slug:
        return "target-is-itself", "itself; name a step that depends on it"
    if step.slug in target.depends_on and slug not in step.depends_on:
        return None  # Should it stand before this step all the same, another rule tells.
    if stands_behind(step.slug, slug, known_deps(flow)):
        return "target-before", "and stands behind that step itself; name one that comes after it"
    return (
        "target-not-behind",
        f'which does not depend on it; add "{step.slug}" to its depends_on',
    )


def _of_failure(slug: str, failing: Mapping[str, str]) -> tuple[str, str] | None:
    if slug not in failing:
        return None
    return (
        "target-is-failure-step",
        f'which is there for the failure of "{failing[slug]}"; let it lead to a step of its own',
    )

"""A flow that goes on after the failure of a step has a step to go on with."""

from collections.abc import Iterator, Mapping

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug, known_deps
from dagster_pgflow.model.steps import JoinStep, MapStep, Step
from dagster_pgflow.validation.dependencies import stands_behind
from dagster_pgflow.validation.meant import meant_among
from dagster_pgflow.validation.rule import KnownFlows


def failures_lead_to_a_step(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check the failure steps of each step that has some, and the members of joins."""
    if not any(step.failure_steps for step in flow.steps):
        return
    steps, deps = by_slug(flow), known_deps(flow)
    for step in flow.steps:
        for field, slug in step.failure_steps.items():
            found = _problem(step, slug, steps.get(slug), deps)
            if found is not None:
                code, advice = found
                hint = "" if slug in steps else meant_among(slug, steps)
                stated = f'Step "{step.slug}" goes on with "{slug}"{hint} when it fails'
                yield Problem(code, f"steps.{step.slug}.{field}", f"{stated}{advice}.")
    yield from _of_members(steps)


def _problem(
    step: Step, slug: str, failure_step: Step | None, deps: Mapping[str, tuple[str, ...]]
) -> tuple[str, str] | None:
    """Return a code, and what is wrong with a step that another one goes on with."""
    if failure_step is None:
        what = "which is not a step of this flow; add it, depending on this step"
        return "failure-step-unknown", f", {what}"
    if slug == step.slug:
        return "failure-step-is-itself", "; name another step, which depends on it"
    if step.slug not in failure_step.depends_on or slug in step.depends_on:
        if stands_behind(step.slug, slug, deps):
            what = "but stands behind that step itself; name a step that comes after it"
            return "failure-step-before", f", {what}"
        what = f'which does not depend on it; add "{step.slug}" to its depends_on'
        return "failure-step-not-behind", f", {what}"
    return _problem_of_kind(failure_step)


def _problem_of_kind(failure_step: Step) -> tuple[str, str] | None:
    if isinstance(failure_step, MapStep):
        what = "which is a map step; let a single or a subflow step do it"
        return "failure-step-is-a-map", f", {what}"
    if isinstance(failure_step, JoinStep):
        # It would wait for so many that completed, and never count what failed.
        what = "which is a join; let a single or a subflow step do it"
        return "failure-step-is-a-join", f", {what}"
    return None


def _of_members(steps: Mapping[str, Step]) -> Iterator[Problem]:
    """Check that what a join catches, nobody else does."""
    caught: dict[str, str] = {}
    for join in steps.values():
        if not isinstance(join, JoinStep):
            continue
        place = f"steps.{join.slug}.{'members' if join.members else 'on_failure'}"
        for slug in join.catches:
            member = steps.get(slug)
            if member is not None and member.failure_steps:
                led = next(iter(member.failure_steps.values()))
                yield Problem(
                    "member-with-failure-step",
                    place,
                    f'Join "{join.slug}" catches the failure of "{slug}", which goes on with'
                    f' "{led}" itself; leave one of the two out: name the other dependencies in'
                    f' members, or take the failure step from "{slug}".',
                )
            elif caught.setdefault(slug, join.slug) != join.slug:
                yield Problem(
                    "member-of-many",
                    place,
                    f'Join "{join.slug}" catches the failure of "{slug}", and so does join'
                    f' "{caught[slug]}"; let one of them name its members without it.',
                )

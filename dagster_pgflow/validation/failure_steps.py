"""A flow that goes on after the failure of a subflow has a step to go on with."""

from collections.abc import Iterator, Mapping

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug, known_deps
from dagster_pgflow.model.step import JoinStep, MapStep, Step, SubflowStep
from dagster_pgflow.validation.dependencies import stands_behind
from dagster_pgflow.validation.rule import KnownFlows


def failures_lead_to_a_step(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check the failure step of each subflow step that has one."""
    if not any(isinstance(step, SubflowStep) for step in flow.steps):
        return
    steps, deps = by_slug(flow), known_deps(flow)
    taken: dict[str, str] = {}
    for step in flow.steps:
        if not isinstance(step, SubflowStep) or step.on_failure is None:
            continue
        first = taken.setdefault(step.on_failure, step.slug)
        if first != step.slug:
            yield Problem(
                "failure-step-of-many",
                f"steps.{step.slug}.on_failure",
                f'Step "{step.on_failure}" goes on when "{first}" fails and when "{step.slug}"'
                " does; give each a failure step of its own.",
            )
        yield from _of_step(step, steps.get(step.on_failure), deps)


def _of_step(
    step: SubflowStep, failure_step: Step | None, deps: Mapping[str, tuple[str, ...]]
) -> Iterator[Problem]:
    path = f"steps.{step.slug}.on_failure"
    stated = f'Step "{step.slug}" goes on with "{step.on_failure}" when it fails'
    if failure_step is None:
        message = f"{stated}, which is no step of this flow; add it, depending on this step."
        yield Problem("failure-step-unknown", path, message)
    elif failure_step.slug == step.slug:
        message = f"{stated}; name another step, which depends on it."
        yield Problem("failure-step-is-itself", path, message)
    elif not _follows(failure_step, step) and stands_behind(step.slug, failure_step.slug, deps):
        message = f"{stated}, but stands behind that step itself; name a step that comes after it."
        yield Problem("failure-step-before", path, message)
    elif step.slug not in failure_step.depends_on:
        message = f'{stated}, which does not depend on it; add "{step.slug}" to its depends_on.'
        yield Problem("failure-step-not-behind", path, message)
    elif isinstance(failure_step, MapStep):
        message = f"{stated}, which is a map step; let a single or a subflow step do it."
        yield Problem("failure-step-is-a-map", path, message)
    elif isinstance(failure_step, JoinStep):
        # It would wait for so many that completed, and never count what failed.
        message = f"{stated}, which is a join; let a single or a subflow step do it."
        yield Problem("failure-step-is-a-join", path, message)


def _follows(failure_step: Step, step: SubflowStep) -> bool:
    """Say at a glance that it stands behind; should it stand before too, another rule tells."""
    return step.slug in failure_step.depends_on and failure_step.slug not in step.depends_on

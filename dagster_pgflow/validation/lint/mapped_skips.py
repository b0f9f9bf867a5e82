"""A mapping does not need the output of a step that may have none."""

from collections.abc import Iterable, Iterator, Mapping

from dagster_pgflow.errors import Problem
from dagster_pgflow.expressions.references import texts_in
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug
from dagster_pgflow.model.routes import forks_in, is_joined
from dagster_pgflow.model.steps import HandledStep, Step, SubflowStep
from dagster_pgflow.validation.lint.settings import has_condition
from dagster_pgflow.validation.rule import KnownFlows
from dagster_pgflow.validation.types.outputs import references_of


def mappings_need_what_is_there(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Look for references to dependencies that are left out of the input when they are skipped."""
    steps = by_slug(flow)
    forks = forks_in(steps)
    for step in flow.steps:
        for dep, place in deps_in_mapping(step).items():
            if dep not in steps:
                continue
            if may_be_left_out(steps[dep]):
                yield Problem(
                    "reference-to-a-skip",
                    place,
                    f'When step "{dep}" is skipped, this leads nowhere and step "{step.slug}"'
                    f' fails; let "{dep}" skip what follows (skip-cascade), or fail.',
                )
            elif decider := _route_past(steps, step, dep, forks):
                yield Problem(
                    "reference-to-a-skip",
                    place,
                    f'Step "{step.slug}" also runs when "{decider}" leads elsewhere than to'
                    f' "{dep}"; this then leads nowhere and the step fails; let a single step'
                    " before it choose what to take.",
                )


def deps_in_mapping(step: Step) -> dict[str, str]:
    """Return the dependencies that the input of a subflow refers to, and where it first does."""
    if not isinstance(step, SubflowStep):
        return {}
    places: dict[str, str] = {}
    for place, text in texts_in(step.input, f"steps.{step.slug}.input"):
        named = {found.step for found in references_of(text) if found.step}
        for dep in sorted(named.intersection(step.depends_on)):
            places.setdefault(dep, place)
    return places


def _route_past(
    steps: Mapping[str, Step], step: Step, dep: str, forks: Iterable[str]
) -> str | None:
    """Return what may lead a run to a step, but not to a dependency of it."""
    others = [other for other in step.depends_on if other != dep and other in steps]
    return next(
        (slug for slug in forks if others and is_joined(steps, step.slug, dep, others, slug)), None
    )


def may_be_left_out(step: Step) -> bool:
    """Return whether a step may be skipped while those behind it run."""
    unmet = step.when_unmet == "skip" and has_condition(step)
    return unmet or (isinstance(step, HandledStep) and step.when_exhausted == "skip")

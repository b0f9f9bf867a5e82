"""A join that waits for some of its dependencies may have to do without the others."""

from collections.abc import Collection, Iterator
from graphlib import CycleError

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug, in_order, known_deps
from dagster_pgflow.model.routes import begins_of, forks_in
from dagster_pgflow.model.steps import HandledStep, JoinStep, Step
from dagster_pgflow.validation.lint.settings import has_condition
from dagster_pgflow.validation.rule import KnownFlows


def joins_can_do_without(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Look for joins that always get what they do not insist on."""
    joins = [step for step in flow.steps if isinstance(step, JoinStep) and step.least is not None]
    if not joins:
        return
    steps = by_slug(flow)
    led = {slug for fork in forks_in(steps).values() for slug in begins_of(steps, fork)}
    try:
        skipped = _may_be_skipped(flow, led)
    except CycleError:
        return
    for step in joins:
        # What a branch leads to may have to do without the branch, which leads elsewhere.
        if step.depends_on and step.slug not in led and not skipped.intersection(step.depends_on):
            yield Problem(
                "join-waits-for-all",
                f"steps.{step.slug}.wait",
                f'Join "{step.slug}" waits for {step.wait} of its dependencies, but none of them is'
                ' ever skipped, so it gets them all; say "all", or leave wait out.',
            )


def _may_be_skipped(flow: Flow, led: Collection[str]) -> set[str]:
    """Return the steps that a run may leave out.

    Args:
        flow: The flow.
        led: The steps that routes begin with.
    """
    deps = known_deps(flow)
    found: set[str] = set()
    handing_on: set[str] = set()
    for step in in_order(flow):
        is_reached = bool(handing_on.intersection(deps[step.slug])) or step.slug in led
        if is_reached or _conduct(step, "skip-cascade"):
            handing_on.add(step.slug)
        if is_reached or _conduct(step, "skip-cascade", "skip"):
            found.add(step.slug)
    return found


def _conduct(step: Step, *answers: str) -> bool:
    """Return whether a step by itself may be skipped in one of some manners."""
    unmet = has_condition(step) and step.when_unmet in answers
    return unmet or (isinstance(step, HandledStep) and step.when_exhausted in answers)

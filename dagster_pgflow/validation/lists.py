"""A subflow that runs once for each item of a list has a list, and can run there."""

from collections.abc import Iterator, Mapping

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.step import MapStep, SubflowStep
from dagster_pgflow.validation.rule import KnownFlows
from dagster_pgflow.validation.subflows import contained_flows


def subflows_run_over_lists(flow: Flow, known: KnownFlows) -> Iterator[Problem]:
    """Check what each `over` names, and that the flow inside has no lists of its own."""
    for step in flow.steps:
        if not isinstance(step, SubflowStep) or step.over is None:
            continue
        if not step.over.startswith("$") and step.over not in step.depends_on:
            yield Problem(
                "over-no-dependency",
                f"steps.{step.slug}.over",
                f'Step "{step.slug}" runs over "{step.over}", which it does not depend on; name a'
                " dependency, or write a reference such as $nodes.cart.items or $input.orders.",
            )
        if step.flow != flow.slug and known is not None and _has_lists(step.flow, known):
            yield Problem(
                "over-a-flow-with-lists",
                f"steps.{step.slug}.flow",
                f'Step "{step.slug}" runs flow "{step.flow}" once for each item, but that flow runs'
                " something once for each element itself; leave out one of the two.",
            )


def _has_lists(slug: str, known: Mapping[str, Flow]) -> bool:
    """Say whether a flow, or one that it contains, runs anything once for each element."""
    if slug not in known:
        return False
    inside = [known[name] for name in contained_flows(known[slug], known) if name in known]
    return any(
        isinstance(step, MapStep) or (isinstance(step, SubflowStep) and step.over is not None)
        for flow in inside
        for step in flow.steps
    )

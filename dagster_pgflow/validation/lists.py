"""A subflow that runs once for each item of a list has a list, and can run there."""

from collections.abc import Iterator, Mapping

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import SubflowStep
from dagster_pgflow.validation.rule import KnownFlows
from dagster_pgflow.validation.subflows import flows_in_one_run


def subflows_run_over_lists(flow: Flow, known: KnownFlows) -> Iterator[Problem]:
    """Check what each `over` names, and that no flow in the same run goes over a list too."""
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
        inner = None if step.is_child_run else _inner_list(step.flow, known or {})
        if inner is not None:
            yield Problem(
                "over-inside-over",
                f"steps.{step.slug}.flow",
                f'Step "{step.slug}" runs flow "{step.flow}" once for each item, and {inner} runs a'
                ' flow for each item too; Dagster has no lists in lists, so say mode "run" there,'
                " make that one a map step, or flatten the list.",
            )


def _inner_list(slug: str, known: Mapping[str, Flow]) -> str | None:
    """Return the first step of a flow, or of one in the same run, that goes over a list in it."""
    return next(
        (
            f'step "{step.slug}" of flow "{flow.slug}"'
            for flow in flows_in_one_run(slug, known)
            for step in flow.steps
            if isinstance(step, SubflowStep) and step.over is not None and not step.is_child_run
        ),
        None,
    )

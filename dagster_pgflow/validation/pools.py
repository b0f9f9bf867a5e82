"""Pools are named as slugs are."""

from collections.abc import Iterator

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import HandledStep
from dagster_pgflow.names import is_valid_slug
from dagster_pgflow.validation.rule import KnownFlows


def pools_are_named_as_slugs(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check the pool of each step that has one."""
    for step in flow.steps:
        pool = step.pool if isinstance(step, HandledStep) else None
        if pool is not None and not is_valid_slug(pool):
            yield Problem(
                "invalid-pool",
                f"steps.{step.slug}.pool",
                f'Step "{step.slug}" has the pool "{pool[:128]}"; a pool is named as a slug is: 1'
                " to 128 letters, digits or underscores, no digit first, and not the reserved word"
                ' "run".',
            )

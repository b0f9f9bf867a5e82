"""A map step has one list to map over."""

from collections.abc import Iterator

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.step import MapStep
from dagster_pgflow.validation.rule import KnownFlows


def maps_have_one_source(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check that a map has at most one dependency, and a batch size of at least one."""
    for step in flow.steps:
        if not isinstance(step, MapStep):
            continue
        deps = tuple(dict.fromkeys(step.depends_on))
        if len(deps) > 1:
            yield Problem(
                "map-with-many-dependencies",
                f"steps.{step.slug}.depends_on",
                f'Map step "{step.slug}" can have at most one dependency, but {len(deps)} were'
                f" provided: {', '.join(deps)}.",
            )
        if step.batch_size is not None and step.batch_size < 1:
            yield Problem(
                "batch-size-out-of-range",
                f"steps.{step.slug}.batch_size",
                f"batch_size is {step.batch_size}; it must be at least 1.",
            )

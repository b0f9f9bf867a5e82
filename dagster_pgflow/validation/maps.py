"""A map step has one list to map over."""

from collections.abc import Iterator
from typing import Final

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.step import MapStep
from dagster_pgflow.validation.rule import KnownFlows

MOST_FAILURES: Final = 2**31 - 1
"""What an integer of SQL holds."""


def maps_have_one_source(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check that a map has at most one dependency, and that its numbers are in range."""
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
        yield from _bounds_of_failures(step)


def _bounds_of_failures(step: MapStep) -> Iterator[Problem]:
    if step.max_failures is not None and not 0 <= step.max_failures <= MOST_FAILURES:
        yield Problem(
            "max-failures-out-of-range",
            f"steps.{step.slug}.max_failures",
            f"max_failures is {step.max_failures}; it must be from 0 to {MOST_FAILURES}.",
        )
    percent = step.max_failures_percent
    if percent is not None and not 0 <= percent <= 100:
        yield Problem(
            "max-failures-out-of-range",
            f"steps.{step.slug}.max_failures_percent",
            f"max_failures_percent is {percent}; it must be from 0 to 100.",
        )

"""A pipelined map step has a map step before it whose elements it can take over one by one."""

from collections.abc import Container, Iterator

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.failures import failure_ends
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug
from dagster_pgflow.model.steps import MapStep, Step
from dagster_pgflow.validation.rule import KnownFlows


def pipelined_maps_can_begin_early(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check what stands before each pipelined map step, and what the step itself says."""
    steps = by_slug(flow)
    ending = failure_ends(steps)
    for step in flow.steps:
        if isinstance(step, MapStep) and step.pipelined:
            sources = [steps.get(slug) for slug in dict.fromkeys(step.depends_on)]
            yield from _of_source(step, sources, ending)
            yield from _of_step(step)


def _of_source(
    step: MapStep, sources: list[Step | None], ending: Container[str]
) -> Iterator[Problem]:
    """Check the step before; that it exists and is the only one, other rules check.

    Args:
        step: A pipelined map step.
        sources: The steps before.
        ending: The steps after whose failures the run goes on.
    """
    match sources:
        case [MapStep() as source]:
            if source.bounds_failures:
                yield Problem(
                    "pipelined-behind-a-count",
                    f"steps.{step.slug}.pipelined",
                    f'Map step "{step.slug}" is pipelined behind "{source.slug}", whose'
                    " max_failures can only be judged when all of its elements are done; leave"
                    f' pipelined out, or max_failures of "{source.slug}".',
                )
            elif source.when_exhausted != "fail" and not source.collect_errors:
                yield Problem(
                    "pipelined-behind-a-skip",
                    f"steps.{step.slug}.pipelined",
                    f'Map step "{step.slug}" is pipelined behind "{source.slug}", whose'
                    f" when_exhausted is {source.when_exhausted}, so elements would be on"
                    f' their way when it is skipped; let "{source.slug}" fail or collect its'
                    " errors, or leave pipelined out.",
                )
            elif source.slug in ending:
                yield Problem(
                    "pipelined-behind-a-failure",
                    f"steps.{step.slug}.pipelined",
                    f'Map step "{step.slug}" is pipelined behind "{source.slug}", after whose'
                    " failure the run goes on, so elements would be on their way then; leave"
                    f' pipelined out, or what goes on after "{source.slug}" failed.',
                )
        case [] | [_] if None not in sources:
            yield Problem(
                "pipelined-without-map",
                f"steps.{step.slug}.pipelined",
                f'Map step "{step.slug}" is pipelined, but does not depend on a map step; let it'
                " depend on one, or leave pipelined out.",
            )


def _of_step(step: MapStep) -> Iterator[Problem]:
    for name in step.conditions:
        yield Problem(
            "pipelined-with-condition",
            f"steps.{step.slug}.{name}",
            f'Map step "{step.slug}" is pipelined and begins before its whole input is'
            f" known, so it cannot have a condition; remove {name} or pipelined.",
        )
    if step.batch_size is not None:
        yield Problem(
            "pipelined-with-batch-size",
            f"steps.{step.slug}.batch_size",
            f'Map step "{step.slug}" is pipelined and takes over the batches of the map step'
            " before it; say batch_size there.",
        )

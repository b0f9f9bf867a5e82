"""No flow that runs once for each item of a list has a loop in the same run."""

from collections.abc import Iterator, Mapping

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.step import LoopStep, SubflowStep
from dagster_pgflow.validation.rule import KnownFlows
from dagster_pgflow.validation.subflows import flows_in_one_run


def lists_hold_no_loops(flow: Flow, known: KnownFlows) -> Iterator[Problem]:
    """Check the flows that run over lists, with all that run inside them."""
    for step in flow.steps:
        if not isinstance(step, SubflowStep) or step.over is None or step.is_child_run:
            continue
        inner = _inner_loop(step.flow, known or {})
        if inner is not None:
            yield Problem(
                "loop-inside-over",
                f"steps.{step.slug}.flow",
                f'Step "{step.slug}" runs flow "{step.flow}" once for each item, and {inner} is a'
                ' loop, which Dagster cannot build for items; say mode "run" for one of the steps'
                " around it, so that it stands in a run of its own.",
            )


def _inner_loop(slug: str, known: Mapping[str, Flow]) -> str | None:
    """Return the first loop of a flow, or of one in the same run."""
    return next(
        (
            f'step "{step.slug}" of flow "{flow.slug}"'
            for flow in flows_in_one_run(slug, known)
            for step in flow.steps
            if isinstance(step, LoopStep)
        ),
        None,
    )

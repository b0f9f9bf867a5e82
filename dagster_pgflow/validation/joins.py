"""A join waits for as many paths as there can be."""

from collections.abc import Iterator

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.step import JoinStep
from dagster_pgflow.validation.rule import KnownFlows


def joins_bring_paths_together(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check how many dependencies each join has, and for how many it waits."""
    for step in flow.steps:
        if not isinstance(step, JoinStep):
            continue
        deps = len(set(step.depends_on))
        if deps < 2:
            stated = "has one dependency" if deps else "has no dependencies"
            yield Problem(
                "join-of-too-few",
                f"steps.{step.slug}.depends_on",
                f'Join "{step.slug}" {stated}, and a join brings at least two paths together; add'
                " what is missing to its depends_on, or leave the join out.",
            )
        elif isinstance(step.wait, int) and not 1 <= step.wait <= deps:
            yield Problem(
                "wait-out-of-range",
                f"steps.{step.slug}.wait",
                f'Join "{step.slug}" waits for {step.wait} of {deps} dependencies; the number must'
                f' be from 1 to {deps}, or say "any" or "all".',
            )

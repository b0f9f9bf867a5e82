"""What each kind of step asks of itself; the rules stand with the kinds, in `model.steps`."""

from collections.abc import Iterator

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.rule import KnownFlows


def steps_keep_their_rules(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check each step by itself."""
    for step in flow.steps:
        yield from step.problems()

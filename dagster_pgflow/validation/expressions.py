"""Conditions in CEL can be compiled, and ask only for what is there."""

from collections.abc import Iterator

from dagster_pgflow.errors import InvalidExpression, Problem
from dagster_pgflow.expressions.cel import ROOTS, expression
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.step import Step
from dagster_pgflow.validation.rule import KnownFlows


def expressions_are_conditions(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check `run_if` and `run_unless`; `output` is that of a step's only dependency."""
    for step in flow.steps:
        for name, text in step.expressions.items():
            try:
                expression(text, _roots_of(step))
            except InvalidExpression as invalid:
                path = f"steps.{step.slug}.{name}"
                yield Problem("invalid-expression", path, str(invalid))


def _roots_of(step: Step) -> frozenset[str]:
    has_one_dependency = len(set(step.depends_on)) == 1
    return frozenset(ROOTS) if has_one_dependency else frozenset(ROOTS) - {"output"}

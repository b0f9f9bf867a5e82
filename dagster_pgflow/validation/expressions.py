"""Conditions in CEL can be compiled, and ask only for what is there."""

from collections.abc import Iterator, Mapping
from typing import Final

from dagster_pgflow.errors import InvalidExpression, Problem
from dagster_pgflow.expressions.cel import ROOTS, expression
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import Step
from dagster_pgflow.validation.rule import KnownFlows

ALL: Final = frozenset(ROOTS)
WITHOUT_OUTPUT: Final = ALL - {"output"}


def expressions_are_conditions(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check what each step asks in CEL, before it runs and to find out how the run goes on.

    Before, `output` is that of its only dependency; afterwards it is its own.
    """
    for step in flow.steps:
        asked = step.expressions
        if asked:
            has_one_dependency = len(set(step.depends_on)) == 1
            yield from _problems(step, asked, ALL if has_one_dependency else WITHOUT_OUTPUT)
        yield from _problems(step, step.decisions, ALL)


def _problems(step: Step, asked: Mapping[str, str], roots: frozenset[str]) -> Iterator[Problem]:
    for name, text in asked.items():
        try:
            expression(text, roots)
        except InvalidExpression as invalid:
            yield Problem("invalid-expression", f"steps.{step.slug}.{name}", str(invalid))

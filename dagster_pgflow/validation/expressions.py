"""What steps ask in CEL can be compiled, and asks only for what is there."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from dagster_pgflow.errors import InvalidExpression, Problem
from dagster_pgflow.expressions.cel import ROOTS, expression, value_expression
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
        has_one_dependency = len(set(step.depends_on)) == 1
        before = ALL if has_one_dependency else WITHOUT_OUTPUT
        yield from _problems(step, step.expressions, before, expression)
        yield from _problems(step, step.computed, before, value_expression)
        yield from _problems(step, step.decisions, ALL, expression)


def _problems(
    step: Step,
    asked: Mapping[str, str],
    roots: frozenset[str],
    read: Callable[[str, frozenset[str]], object],
) -> Iterator[Problem]:
    for name, text in asked.items():
        try:
            read(text, roots)
        except InvalidExpression as invalid:
            yield Problem("invalid-expression", f"steps.{step.slug}.{name}", str(invalid))

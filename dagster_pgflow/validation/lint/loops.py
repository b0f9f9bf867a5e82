"""What a loop repeats, and what it asks, can be another thing in each iteration."""

from collections.abc import Iterator

from dagster_pgflow.errors import InvalidExpression, Problem
from dagster_pgflow.expressions.cel import expression
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import LoopStep
from dagster_pgflow.validation.rule import KnownFlows

CHANGING = ("output", "deps", "input", "ctx.iteration")


def loops_come_to_an_end(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Look for loops whose condition never changes, and for loops around nothing."""
    for step in flow.steps:
        if not isinstance(step, LoopStep):
            continue
        if _never_changes(step.condition):
            yield Problem(
                "loop-condition-never-changes",
                f"steps.{step.slug}.condition",
                f'Loop "{step.slug}" asks for nothing that changes from iteration to iteration, so'
                f" that it ends after one or always runs {step.max_iterations}; ask for its output,"
                " deps.<step> or ctx.iteration.",
            )
        if step.back_to == step.slug and not step.needs_handler:
            yield Problem(
                "loop-around-nothing",
                f"steps.{step.slug}.back_to",
                f'Loop "{step.slug}" repeats only itself and has no handler, so nothing'
                " happens in an iteration; name a handler, or go back to a step before it.",
            )


def _never_changes(condition: str) -> bool:
    try:
        asked = expression(condition)
    except InvalidExpression:
        return False
    return not any(asked.asks_for(name) for name in CHANGING)

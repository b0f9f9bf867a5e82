"""The numbers of guards are in range, and their keys can be kept."""

from collections.abc import Iterator

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.guards import LONGEST_KEY, Guard
from dagster_pgflow.model.steps import GuardedStep
from dagster_pgflow.validation.rule import KnownFlows


def guards_are_in_range(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check the circuit breaker, the bulkhead and the rate limiter of each step."""
    for step in flow.steps:
        for name, guard in step.guards.items() if isinstance(step, GuardedStep) else ():
            yield from _out_of_range(f"steps.{step.slug}.{name}", guard)


def _out_of_range(path: str, guard: Guard) -> Iterator[Problem]:
    for field, (least, most) in guard.bounds().items():
        given = getattr(guard, field)
        if not least <= given <= most:
            yield Problem(
                "option-out-of-range",
                f"{path}.{field}",
                f"{field} is {given}; it must be from {least} to {most}.",
            )
    if guard.key is not None and not 1 <= len(guard.key) <= LONGEST_KEY:
        yield Problem(
            "invalid-guard-key",
            f"{path}.key",
            f"The key has {len(guard.key)} characters; it must have 1 to {LONGEST_KEY}.",
        )

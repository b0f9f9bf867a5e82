"""Attempts, delays, timeouts and numbers of runs are in range."""

from collections.abc import Iterator

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.options import TryOptions
from dagster_pgflow.validation.rule import KnownFlows

MINIMUM = {
    "max_attempts": 0,
    "base_delay": 0,
    "timeout": 1,
    "max_delay": 0,
    "start_delay": 0,
    "max_concurrent_runs": 1,
    "max_concurrent_runs_per_key": 1,
}
MAXIMUM = 2**31 - 1
"""What an integer column holds."""


def options_are_in_range(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check the options of the flow and of each step."""
    yield from _out_of_range("options", flow.options)
    for step in flow.steps:
        yield from _out_of_range(f"steps.{step.slug}.options", step.options)


def _out_of_range(path: str, options: TryOptions) -> Iterator[Problem]:
    for name, minimum in MINIMUM.items():
        value = getattr(options, name, None)
        if value is not None and not minimum <= value <= MAXIMUM:
            yield Problem(
                "option-out-of-range",
                f"{path}.{name}",
                f"{name} is {value}; it must be from {minimum} to {MAXIMUM}.",
            )

"""Attempts, delays, timeouts, recoveries and numbers of runs are in range."""

from collections.abc import Iterator

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.options import DEFAULT_TIMEOUT, MS, TryOptions
from dagster_pgflow.validation.rule import KnownFlows

MINIMUM = {
    "max_attempts": 0,
    "base_delay": 0,
    "timeout": 1,
    "timeout_ms": 1,
    "max_delay": 0,
    "start_delay": 0,
    "max_concurrent_runs": 1,
    "max_concurrent_runs_per_key": 1,
    "max_recoveries": 0,
}
MAXIMUM = 2**31 - 1
"""What an integer column holds."""


def options_are_in_range(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check the options of the flow and of each step."""
    yield from _out_of_range("options", flow.options)
    for step in flow.steps:
        yield from _out_of_range(f"steps.{step.slug}.options", step.options)


def timeouts_agree(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check that a timeout is said once, or twice the same; what holds anyway is not said."""
    said = flow.options
    if said.timeout != DEFAULT_TIMEOUT:
        yield from _two_timeouts("options", said)
    for step in flow.steps:
        yield from _two_timeouts(f"steps.{step.slug}.options", step.options)


def _two_timeouts(path: str, options: TryOptions) -> Iterator[Problem]:
    seconds, milliseconds = options.timeout, options.timeout_ms
    if seconds is not None and milliseconds is not None and seconds * MS != milliseconds:
        yield Problem(
            "two-timeouts",
            f"{path}.timeout_ms",
            f"timeout is {seconds} s and timeout_ms is {milliseconds} ms; leave one of them out.",
        )


def _out_of_range(path: str, options: TryOptions) -> Iterator[Problem]:
    for name, minimum in MINIMUM.items():
        value = getattr(options, name, None)
        if value is not None and not minimum <= value <= MAXIMUM:
            yield Problem(
                "option-out-of-range",
                f"{path}.{name}",
                f"{name} is {value}; it must be from {minimum} to {MAXIMUM}.",
            )

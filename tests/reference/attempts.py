"""How often a task is tried, how long it waits, and with which others."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import MapStep, Step
from dagster_pgflow.step_errors import RetryAfter

DEFAULTS = {"max_attempts": 3, "base_delay": 5, "max_delay": 3600, "jitter": "none"}


@dataclass(frozen=True)
class Wait:
    """Seconds between two attempts, where chance may decide."""

    least: float
    most: float

    def allows(self, seconds: float) -> bool:
        """Return whether a wait is long enough, and not too long."""
        return self.least <= seconds <= self.most


def longest(waits: Iterable[Wait]) -> Wait:
    """Return the wait of things that wait for each other."""
    known = list(waits)
    return Wait(max(wait.least for wait in known), max(wait.most for wait in known))


def wait_after(attempt: int, error: Exception, flow: Flow, step: Step) -> Wait:
    """Return how long a failed attempt makes its task wait for the next one."""
    most = _option("max_delay", flow, step)
    if isinstance(error, RetryAfter):
        asked = min(error.seconds, most)
        return Wait(asked, asked)
    delay = min(_option("base_delay", flow, step) * 2**attempt, most)
    match _option("jitter", flow, step):
        case "none":
            return Wait(delay, delay)
        case "full":
            return Wait(0, delay)
        case _:
            return Wait(0, min(2 * delay, most))


def most_attempts(flow: Flow, step: Step) -> int:
    """Return how often a task may be tried."""
    return max(int(_option("max_attempts", flow, step)), 1)


def batch_size(step: MapStep, elements: int) -> int:
    """Return how many elements are tried together."""
    if step.batch_size is not None:
        return step.batch_size
    return 1 if elements <= 100 else (elements + 19) // 20


def _option(name: str, flow: Flow, step: Step) -> Any:
    own, common = getattr(step.options, name), getattr(flow.options, name)
    return own if own is not None else common if common is not None else DEFAULTS[name]

"""How a step is tried, how many runs a flow has at once, and who is told of them."""

from dataclasses import dataclass
from typing import ClassVar, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from dagster_pgflow.model.described import Examples
from dagster_pgflow.model.webhook import Webhook

DEFAULT_MAX_ATTEMPTS = 3
DEFAULT_BASE_DELAY = 5
DEFAULT_TIMEOUT = 60
DEFAULT_MAX_DELAY = 3600
MS: Final = 1000
DEFAULT_MAX_RECOVERIES = 3

KEY_ROOTS: Final = frozenset({"input"})
"""What a concurrency key may begin a path with: of a run that has not begun, all that there is."""

T = TypeVar("T")

Jitter = Literal["none", "full", "plus-minus"]
"""What chance does to a delay, in Dagster's words."""


class TryOptions(BaseModel):
    """What is said of the tries of a step, or of a flow's steps; `None` says nothing.

    Attributes:
        max_attempts: How many times a step is tried in all (default 3).
        base_delay: Seconds; the delay before try n + 1 is `base_delay * 2^n` (default 5).
        timeout: Seconds that one attempt may take (default 60).
        timeout_ms: The same in milliseconds, in place of `timeout`.
        max_delay: Seconds; no delay between two tries is longer (default 3600).
        jitter: What chance does to the delay between two tries: `none` (default) leaves it,
            `full` takes between nothing and all of it, `plus-minus` between nothing and twice it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    examples: ClassVar[Examples] = {
        "max_attempts": 5,
        "base_delay": 10,
        "timeout": 300,
        "timeout_ms": 1500,
        "max_delay": 600,
    }

    max_attempts: int | None = None
    base_delay: int | None = None
    timeout: int | None = None
    timeout_ms: int | None = None
    max_delay: int | None = None
    jitter: Jitter | None = None

    @property
    def seconds(self) -> float | None:
        """Seconds that one attempt may take; `None` where nothing is said."""
        return self.timeout if self.timeout_ms is None else self.timeout_ms / MS


class FlowOptions(TryOptions):
    """The defaults of a flow's steps, and what holds for its runs.

    Attributes:
        max_concurrent_runs: How many requested runs of the flow are under way at most; `None` is
            any number.
        concurrency_key: CEL over `input`, such as `input.customer`: requests that it gives one
            value for stand in one line, and each line gets its turn.
        max_concurrent_runs_per_key: How many of one key are under way at most.
        on_event: The web service that is told how its runs end.
        max_recoveries: How often a run goes on by itself whose process was lost (default 3).
    """

    examples: ClassVar[Examples] = {
        "max_concurrent_runs": 4,
        "concurrency_key": "input.customer",
        "max_concurrent_runs_per_key": 1,
        "on_event": {"url": "https://example.org/runs", "secret": "RUNS_SECRET"},
        "max_recoveries": 1,
    }

    max_concurrent_runs: int | None = None
    concurrency_key: str | None = None
    max_concurrent_runs_per_key: int | None = None
    on_event: Webhook | None = None
    max_recoveries: int | None = None


class StepOptions(TryOptions):
    """What one step says of its own; each `None` is taken from the flow.

    Attributes:
        start_delay: Seconds before the first try (default 0).
    """

    examples: ClassVar[Examples] = {"start_delay": 60}

    start_delay: int | None = None


def max_recoveries_of(flow: FlowOptions) -> int:
    """Return how often a run of a flow goes on by itself whose process was lost."""
    return _first(flow.max_recoveries, DEFAULT_MAX_RECOVERIES)


@dataclass(frozen=True)
class RetryPolicy:
    """The options that hold for one step, after step, flow and product defaults are merged.

    Delays and the timeout are seconds.
    """

    max_attempts: int
    base_delay: int
    timeout: float
    max_delay: int
    jitter: Jitter
    start_delay: int


def timeout_of(milliseconds: int) -> dict[str, int]:
    """Return the option that says how long an attempt may take: whole seconds as such.

    >>> timeout_of(2000), timeout_of(250)
    ({'timeout': 2}, {'timeout_ms': 250})
    """
    seconds, rest = divmod(milliseconds, MS)
    return {"timeout_ms": milliseconds} if rest else {"timeout": seconds}


def retry_policy_of(flow: TryOptions, step: StepOptions) -> RetryPolicy:
    """Merge option by option: the step's word first, then the flow's, then the default."""
    return RetryPolicy(
        max_attempts=_first(step.max_attempts, flow.max_attempts, DEFAULT_MAX_ATTEMPTS),
        base_delay=_first(step.base_delay, flow.base_delay, DEFAULT_BASE_DELAY),
        timeout=_first(step.seconds, flow.seconds, DEFAULT_TIMEOUT),
        max_delay=_first(step.max_delay, flow.max_delay, DEFAULT_MAX_DELAY),
        jitter=_first(step.jitter, flow.jitter, "none"),
        start_delay=_first(step.start_delay, 0),
    )


def _first(*candidates: T | None) -> T:
    return next(value for value in candidates if value is not None)

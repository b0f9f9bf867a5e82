"""What stands before the calls of a handler: a circuit breaker, a bulkhead, a rate limiter.

All runs share what a guard counts, in every process and on every machine. `key` says whose calls
are counted together; without one it is the step.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from dagster_pgflow.model.described import Examples
from dagster_pgflow.model.exact import Whole

GuardName = Literal["circuit_breaker", "bulkhead", "rate_limiter"]
"""The options of a step that are guards, from the inside to the outside."""

HoldingGuard = Literal["bulkhead", "circuit_breaker"]
"""Those that a call under way holds something of: a slot, or a try."""

BreakerState = Literal["closed", "open", "half_open"]

LONGEST_KEY: Final = 200
"""Characters."""

MOST: Final = 2**31 - 1
"""What an integer of SQL holds."""

LONGEST_WAIT_S: Final = 60
"""How long a process may wait for its turn; for longer, Dagster waits between two attempts."""


def _from_to(least: int, most: int, default: int) -> Any:
    """Return a field of a whole number; that it is in range, a rule says, as of other options."""
    return Field(default, json_schema_extra={"minimum": least, "maximum": most})


class Guard(BaseModel):
    """What all guards have.

    Attributes:
        key: Under which name it counts; whoever names the same key shares it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    examples: ClassVar[Examples] = {"key": "payments"}

    key: str | None = None

    @classmethod
    def bounds(cls) -> dict[str, tuple[int, int]]:
        """Return from where to where each number may be."""
        said: dict[str, Any] = {
            name: info.json_schema_extra for name, info in cls.model_fields.items()
        }
        return {name: (of["minimum"], of["maximum"]) for name, of in said.items() if of}


class CircuitBreaker(Guard):
    """Lets no call through for a while once too many of the last ones failed.

    Attributes:
        failure_rate: Percent of failed calls from which on it opens.
        window: How many of the last calls count.
        min_calls: With fewer than these nothing is judged.
        open_seconds: For how long it stays open before some calls may try again.
        half_open_calls: How many these are; what comes of them decides whether it closes.
    """

    examples: ClassVar[Examples] = {
        "failure_rate": 30,
        "window": 50,
        "min_calls": 5,
        "open_seconds": 120,
        "half_open_calls": 1,
    }

    failure_rate: Whole = _from_to(1, 100, 50)
    window: Whole = _from_to(1, 1_000, 100)
    min_calls: Whole = _from_to(1, 1_000, 10)
    open_seconds: Whole = _from_to(1, MOST, 60)
    half_open_calls: Whole = _from_to(1, 1_000, 3)


class Bulkhead(Guard):
    """Lets so many calls be under way at once.

    Attributes:
        max_concurrent: How many.
        max_wait_seconds: How long a call waits for its turn before its attempt fails.
    """

    examples: ClassVar[Examples] = {"max_concurrent": 10, "max_wait_seconds": 10}

    max_concurrent: Whole = _from_to(1, MOST, 25)
    max_wait_seconds: Whole = _from_to(0, LONGEST_WAIT_S, 5)


class RateLimiter(Guard):
    """Lets so many calls begin in each period.

    Attributes:
        calls: How many.
        per_ms: How long a period is.
        max_wait_seconds: How long a call waits for its turn before its attempt fails.
    """

    examples: ClassVar[Examples] = {"calls": 5, "per_ms": 1000, "max_wait_seconds": 10}

    calls: Whole = _from_to(1, MOST, 50)
    per_ms: Whole = _from_to(1, MOST, 500)
    max_wait_seconds: Whole = _from_to(0, LONGEST_WAIT_S, 5)


GUARDS: Final[Mapping[str, type[Guard]]] = {
    "circuit_breaker": CircuitBreaker,
    "bulkhead": Bulkhead,
    "rate_limiter": RateLimiter,
}

WrittenGuard = bool | dict[str, Any]
"""How an author writes one: `True` for the defaults."""


def _as_object(given: Any) -> Any:
    return {} if given is True else given


def _written(kind: type[Guard]) -> BeforeValidator:
    return BeforeValidator(_as_object, json_schema_input_type=Literal[True] | kind | None)


AnyCircuitBreaker = Annotated[CircuitBreaker | None, _written(CircuitBreaker)]
AnyBulkhead = Annotated[Bulkhead | None, _written(Bulkhead)]
AnyRateLimiter = Annotated[RateLimiter | None, _written(RateLimiter)]
"""What documents write in the place of a guard."""

"""What steps with a handler say of the guards before its calls."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, TypedDict

from dagster_pgflow.model.described import Examples
from dagster_pgflow.model.guards import (
    GUARDS,
    AnyBulkhead,
    AnyCircuitBreaker,
    AnyRateLimiter,
    Bulkhead,
    CircuitBreaker,
    Guard,
    RateLimiter,
    WrittenGuard,
)
from dagster_pgflow.model.steps.fields import Argument, HandledFields, HandledStep

A_GUARD: Final = Argument("True, or a dict of what is not as by default")


class GuardFields(TypedDict, total=False):
    """The guards that a step may have."""

    circuit_breaker: CircuitBreaker | WrittenGuard
    bulkhead: Bulkhead | WrittenGuard
    rate_limiter: RateLimiter | WrittenGuard


class GuardedFields(HandledFields, GuardFields, total=False):
    """What a step with a handler may say, its guards included."""


class GuardedStep(HandledStep):
    """A step whose handler is called past guards.

    Attributes:
        circuit_breaker: Refuses calls for a while once too many of the last ones failed.
        bulkhead: Lets so many calls be under way at once.
        rate_limiter: Lets so many calls begin in each period.
    """

    examples: ClassVar[Examples] = {
        "circuit_breaker": {"failure_rate": 50, "key": "payments"},
        "bulkhead": {"max_concurrent": 10},
        "rate_limiter": {"calls": 5, "per_ms": 1000},
    }

    circuit_breaker: Annotated[AnyCircuitBreaker, A_GUARD] = None
    bulkhead: Annotated[AnyBulkhead, A_GUARD] = None
    rate_limiter: Annotated[AnyRateLimiter, A_GUARD] = None

    @property
    def guards(self) -> dict[str, Guard]:
        """The guards that the step has, from the inside to the outside."""
        had = {name: getattr(self, name) for name in GUARDS}
        return {name: guard for name, guard in had.items() if guard is not None}

    def shown_work(self, flow_slug: str, versions: Mapping[str, int]) -> str:
        """Return what it does, and past which guards."""
        keys = {
            name: "" if one.key is None else f' "{one.key}"' for name, one in self.guards.items()
        }
        past = [f"past a {name.replace('_', ' ')}{key}" for name, key in keys.items()]
        return ", ".join([super().shown_work(flow_slug, versions), *past])

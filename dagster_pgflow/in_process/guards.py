"""Circuit breakers and rate limiters of one process: what a store counts for all runs otherwise.

Steps of a run in process run one after the other, so a bulkhead has room for each.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from dagster_pgflow.in_process.clock import Clock
from dagster_pgflow.model.guards import GuardName
from dagster_pgflow.runtime.guards import Admission, CallGuards, CallOutcome, GuardedCall
from dagster_pgflow.runtime.waiting_for import rfc3339

_PERCENT: Final = 100


@dataclass
class _Breaker:
    outcomes: list[bool] = field(default_factory=list)
    opened_at: float = 0.0
    open_until: float = 0.0
    is_open: bool = False
    is_trying: bool = False


@dataclass
class _Turns:
    period_at: float
    taken: int = 0


@dataclass
class GuardsInMemory(CallGuards):
    """Counts the calls of one run.

    Attributes:
        clock: The time of the run.
    """

    clock: Clock = field(default_factory=Clock)
    _breakers: dict[tuple[str, str], _Breaker] = field(default_factory=dict)
    _turns: dict[tuple[str, str], _Turns] = field(default_factory=dict)

    def enter_call(self, call: GuardedCall, without: frozenset[GuardName]) -> Admission:
        """Take a call past its guards."""
        limiter = call.guards.get("rate_limiter")
        if limiter is not None and "rate_limiter" not in without:
            turn = self._take_turn((call.tenant, limiter["key"]), limiter)
            if turn.refused_by is not None or turn.wait_s > 0:
                return turn
        breaker = call.guards.get("circuit_breaker")
        return Admission() if breaker is None else self._pass(call.tenant, breaker)

    @contextmanager
    def keeping_call(self, _call: GuardedCall) -> Iterator[None]:
        """Keep what a call holds: nobody else is there to take it."""
        yield

    def leave_call(self, call: GuardedCall, _admission: Admission, outcome: CallOutcome) -> None:
        """Note what a call came to."""
        guard = call.guards.get("circuit_breaker")
        if guard is None or outcome == "unknown":
            return
        breaker = self._breaker(call.tenant, guard)
        failed = outcome == "failed"
        breaker.outcomes.append(failed)
        if breaker.is_trying:
            self._judge_tries(breaker, guard)
        else:
            del breaker.outcomes[: -guard["window"]]
            if len(breaker.outcomes) >= guard["min_calls"] and _is_too_bad(breaker, guard):
                self._open(breaker, guard)

    def _take_turn(self, key: tuple[str, str], limiter: Mapping[str, Any]) -> Admission:
        now, period = self.clock.now(), limiter["per_ms"] / 1000
        turns = self._turns.setdefault(key, _Turns(now))
        if turns.period_at + period <= now:
            turns.period_at, turns.taken = now, 0
        if turns.taken >= limiter["calls"]:
            begins = turns.period_at + period
            if begins - now > limiter["max_wait_seconds"]:
                return Admission("rate_limiter", begins - now, {"refused": "busy"})
            turns.period_at, turns.taken = begins, 0
        turns.taken += 1
        return Admission(wait_s=self.clock.waited(max(turns.period_at - now, 0.0)))

    def _pass(self, tenant: str, guard: Mapping[str, Any]) -> Admission:
        breaker, now = self._breaker(tenant, guard), self.clock.now()
        if breaker.is_open and breaker.open_until > now:
            said = {
                "refused": "open",
                "since": rfc3339(breaker.opened_at),
                "until": rfc3339(breaker.open_until),
                "calls": len(breaker.outcomes),
                "failures": sum(breaker.outcomes),
            }
            return Admission("circuit_breaker", breaker.open_until - now, said)
        if breaker.is_open:
            breaker.is_open, breaker.is_trying, breaker.outcomes = False, True, []
        return Admission()

    def _judge_tries(self, breaker: _Breaker, guard: Mapping[str, Any]) -> None:
        if len(breaker.outcomes) < guard["half_open_calls"]:
            return
        breaker.is_trying = False
        if _is_too_bad(breaker, guard):
            self._open(breaker, guard)
        else:
            breaker.outcomes = []

    def _open(self, breaker: _Breaker, guard: Mapping[str, Any]) -> None:
        breaker.is_open, breaker.opened_at = True, self.clock.now()
        breaker.open_until = breaker.opened_at + guard["open_seconds"]

    def _breaker(self, tenant: str, guard: Mapping[str, Any]) -> _Breaker:
        return self._breakers.setdefault((tenant, guard["key"]), _Breaker())


def _is_too_bad(breaker: _Breaker, guard: Mapping[str, Any]) -> bool:
    failed = sum(breaker.outcomes) * _PERCENT
    return bool(failed >= guard["failure_rate"] * len(breaker.outcomes))

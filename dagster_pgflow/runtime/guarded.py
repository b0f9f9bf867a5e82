"""Calls a handler past the guards of its step, from the outside to the inside.

A call waits for its turn in its process, for as long as its guard says; then its attempt fails, and
Dagster waits for the next one. What waits does not count against the timeout: a call that stood in
line would else look slow to the circuit breaker.
"""

import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from dagster_pgflow.runtime.guards import Admission, CallGuards, CallOutcome, GuardedCall
from dagster_pgflow.step_errors import NonRetryable, StepError

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0
"""Between two looks for a free slot of a bulkhead."""

T = TypeVar("T")


class CallRefused(StepError):
    """A circuit breaker, a bulkhead or a rate limiter did not let a handler be called.

    Attributes:
        seconds: After how many seconds a call may have more luck, as far as that is known.
    """

    def __init__(self, message: str, seconds: float = 0.0) -> None:
        self.seconds = seconds
        super().__init__(message)


def guarded(guards: CallGuards, call: GuardedCall, subject: str, work: Callable[[], T]) -> T:
    """Do what a call does, if its guards let it through.

    Args:
        guards: Who counts the calls.
        call: The call.
        subject: What calls, for people.
        work: Calls the handler.

    Raises:
        CallRefused: A guard does not let it through.
        StepError: What the work raises: a failed call, unless it is `NonRetryable`, which is the
            caller's fault and says nothing about what is called.
        StoreError: Nobody knows whether the guards let it through.
    """
    admission = _admitted(guards, call, subject)
    if not call.holds_something:
        return work()
    outcome: CallOutcome = "unknown"
    try:
        with guards.keeping_call(call):
            done = work()
        outcome = "succeeded"
    except NonRetryable:
        raise
    except StepError:
        outcome = "failed"
        raise
    finally:
        guards.leave_call(call, admission, outcome)
    return done


def _admitted(guards: CallGuards, call: GuardedCall, subject: str) -> Admission:
    admission = guards.enter_call(call, frozenset())
    if admission.refused_by is None and admission.wait_s > 0:
        time.sleep(admission.wait_s)
        if not call.holds_something:
            return admission
        admission = guards.enter_call(call, frozenset({"rate_limiter"}))
    if admission.refused_by == "bulkhead":
        admission = _slot_found(guards, call, admission)
    if admission.refused_by is not None:
        raise CallRefused(_sentence(call, admission, subject), admission.wait_s)
    return admission


def _slot_found(guards: CallGuards, call: GuardedCall, admission: Admission) -> Admission:
    """Look for a free slot again and again, for as long as a call may wait for one."""
    until = time.monotonic() + call.guards["bulkhead"]["max_wait_seconds"]
    pause = FIRST_PAUSE_S
    while admission.refused_by == "bulkhead" and (left := until - time.monotonic()) > 0:
        # Not all at once: others wait for the same.
        time.sleep(min(pause * random.uniform(0.5, 1.0), left))  # noqa: S311
        pause = min(pause * 2, LONGEST_PAUSE_S)
        admission = guards.enter_call(call, frozenset({"rate_limiter"}))
    return admission


def _sentence(call: GuardedCall, admission: Admission, subject: str) -> str:
    assert admission.refused_by is not None  # noqa: S101
    guard, said = call.guards[admission.refused_by], admission.details
    named = f'{admission.refused_by.replace("_", " ").capitalize()} "{guard["key"]}"'
    return f"{subject} was not called. {named} {_reason(guard, admission, said)}"


def _reason(guard: Any, admission: Admission, said: Any) -> str:
    match said["refused"]:
        case "open":
            return (
                f"is open since {said['since']} UTC, when {said['failures']} of the last"
                f" {said['calls']} calls had failed; it lets some through again from"
                f" {said['until']} UTC on, or after"
                f" pgflow.reset_circuit_breaker('{guard['key']}')."
            )
        case "half_open":
            return (
                f"was opened at {said['since']} UTC and is half open: {said['trying']} calls are"
                " under way that try whether it may close; wait for what comes of them."
            )
        case "full":
            return (
                f"lets {guard['max_concurrent']} calls be under way at once, and"
                f" {said['under_way']} were for all of the {guard['max_wait_seconds']} s that this"
                " one waits; raise max_concurrent, max_wait_seconds or the step's max_attempts."
            )
        case _:
            return (
                f"lets {guard['calls']} calls begin each {guard['per_ms']} ms, and the next free"
                f" turn is in {admission.wait_s:.1f} s, where this one waits"
                f" {guard['max_wait_seconds']} s at most; raise max_wait_seconds or the step's"
                " max_attempts."
            )

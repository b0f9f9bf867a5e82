"""How a call goes past its guards: what is asked, what is told, and what is never lost."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

from dagster_pgflow.errors import StoreError
from dagster_pgflow.model.guards import GUARDS, GuardName
from dagster_pgflow.model.options import FlowOptions, StepOptions, retry_policy_of
from dagster_pgflow.model.steps import SingleStep
from dagster_pgflow.runtime.guarded import CallRefused, guarded
from dagster_pgflow.runtime.guards import Admission, CallGuards, CallOutcome, GuardedCall
from dagster_pgflow.runtime.tasks import Tasks, TryAgain
from dagster_pgflow.step_errors import HandlerFailed, NonRetryable
from dagster_pgflow.step_path import StepPath

OPEN = Admission("circuit_breaker", details={"refused": "half_open", "since": "then", "trying": 2})
FULL = Admission("bulkhead", details={"refused": "full", "under_way": 25})
NO_TURN = Admission("rate_limiter", 7.5, {"refused": "no_turn"})


class Scripted(CallGuards):
    """Says what it is told to, and remembers what it was asked."""

    def __init__(self, *answers: Admission | StoreError) -> None:
        self.answers = list(answers)
        self.asked: list[frozenset[GuardName]] = []
        self.left: list[tuple[CallOutcome, Any]] = []

    def enter_call(self, _call: GuardedCall, without: frozenset[GuardName]) -> Admission:
        self.asked.append(without)
        answer = self.answers.pop(0)
        if isinstance(answer, StoreError):
            raise answer
        return answer

    def keeping_call(self, _call: GuardedCall) -> AbstractContextManager[None]:
        return nullcontext()

    def leave_call(self, _call: GuardedCall, admission: Admission, outcome: CallOutcome) -> None:
        self.left.append((outcome, admission.details.get("round")))


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds: list[float] = []
    monkeypatch.setattr("dagster_pgflow.runtime.guarded.time.sleep", seconds.append)
    return seconds


def call_past(*names: GuardName, **fields: int) -> GuardedCall:
    guards: dict[str, Any] = {
        name: GUARDS[name]().model_dump() | {"key": "k"} | fields for name in names
    }
    return GuardedCall("", guards, "a test")


def raising(error: BaseException) -> Callable[[], Any]:
    def work() -> Any:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (HandlerFailed("x"), "failed"),
        (NonRetryable("x"), "unknown"),
        (KeyboardInterrupt(), "unknown"),
    ],
    ids=["failed", "no-retry", "interrupted"],
)
def test_whatever_ends_a_call_its_end_is_told(error: BaseException, outcome: str) -> None:
    guards = Scripted(Admission(details={"round": 4}))
    with pytest.raises(type(error)):
        guarded(guards, call_past("circuit_breaker"), "It", raising(error))
    assert guards.left == [(outcome, 4)]


def test_a_call_past_a_rate_limiter_alone_has_no_end_to_tell(slept: list[float]) -> None:
    guards = Scripted(Admission(wait_s=2.5))
    assert guarded(guards, call_past("rate_limiter"), "It", lambda: 5) == 5
    assert (len(guards.asked), guards.left, slept) == (1, [], [2.5])


def test_a_call_that_had_its_turn_goes_on_to_the_other_guards(slept: list[float]) -> None:
    guards = Scripted(Admission(wait_s=2.5), FULL, Admission())
    assert guarded(guards, call_past("rate_limiter", "bulkhead"), "It", lambda: 5) == 5
    assert guards.asked == [frozenset(), *[frozenset({"rate_limiter"})] * 2]
    assert guards.left == [("succeeded", None)]
    assert slept[0] == 2.5


@pytest.mark.parametrize(
    ("admission", "said"),
    [
        (OPEN, 'It was not called. Circuit breaker "k" was opened at then UTC and is half open: 2'),
        (FULL, 'It was not called. Bulkhead "k" lets 25 calls be under way at once, and 25 were'),
        (NO_TURN, "the next free turn is in 7.5 s, where this one waits 0 s at most"),
    ],
    ids=["circuit-breaker", "bulkhead", "rate-limiter"],
)
def test_a_call_that_is_refused_calls_nothing_and_holds_nothing(
    admission: Admission, said: str
) -> None:
    guards = Scripted(admission)
    call = call_past("rate_limiter", "bulkhead", "circuit_breaker", max_wait_seconds=0)
    with pytest.raises(CallRefused) as refused:
        guarded(guards, call, "It", raising(AssertionError("It was called.")))
    assert said in str(refused.value)
    assert guards.left == []


def test_nothing_is_called_while_nobody_can_say_whether_it_may_be() -> None:
    guards = Scripted(StoreError("away", "away"))
    with pytest.raises(StoreError, match="away"):
        guarded(guards, call_past("bulkhead"), "It", raising(AssertionError("It was called.")))


@pytest.mark.parametrize(
    ("max_delay", "delay"), [(3600, 700.0), (600, 600.0)], ids=["as-it-says", "capped"]
)
def test_the_next_attempt_comes_when_there_may_be_a_turn(max_delay: int, delay: float) -> None:
    policy = retry_policy_of(FlowOptions(), StepOptions(max_delay=max_delay))
    tasks = Tasks(SingleStep(slug="a"), StepPath("a"), policy, 1)
    tasks.run(0, None, lambda _index, _value: raising(CallRefused("no", 700.0))())
    with pytest.raises(TryAgain) as again:
        tasks.settle()
    assert again.value.seconds == delay

"""One attempt of one task."""

import asyncio
import contextvars
import logging
import re
import sys
import threading
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from dagster_pgflow.runtime.attempt import attempt
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.runtime.handlers import Handler
from dagster_pgflow.step_errors import (
    HandlerFailed,
    HandlerTimedOut,
    NonRetryable,
    RetryAfter,
    StepError,
)
from tests.polling import PATIENCE_S

CONTEXT = StepContext(
    flow_input={"order": 7},
    run_id="r",
    flow_slug="order",
    step_slug="charge",
    step_path="pay.charge",
    task_index=3,
    task_path="pay.charge[3]",
    attempt=2,
    idempotency_key="r:pay.charge:3",
    params={},
    log=logging.getLogger("test"),
    resources=None,
)


class Item(BaseModel):
    name: str
    amount: int = 1


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)

    at: date
    pair: tuple[int, int]


def call(function: Callable[..., Any], value: Any = None, timeout: float = 10) -> Any:
    return attempt(Handler(function, "charge"), value, CONTEXT, timeout)


def failure(function: Callable[..., Any], value: Any = None, timeout: float = 10) -> StepError:
    with pytest.raises(StepError) as caught:
        call(function, value, timeout)
    return caught.value


@pytest.mark.parametrize("value", [None, 0, False, "", [], {}, {"a": [1, 2.5, "é"]}])
def test_a_handler_gets_its_input_and_returns_its_output(value: Any) -> None:
    assert call(lambda given: given, value) == value


def test_a_handler_with_two_parameters_gets_the_context() -> None:
    assert call(lambda given, ctx: [given, ctx.flow_input, ctx.attempt], 1) == [1, {"order": 7}, 2]


def test_a_handler_may_be_async() -> None:
    async def double(value: int, ctx: StepContext) -> int:
        await asyncio.sleep(0)
        return value * ctx.attempt

    assert call(double, 4) == 8


def test_type_hints_turn_json_into_models_and_models_into_json() -> None:
    def double(item: Item) -> Item:
        return Item(name=item.name, amount=item.amount * 2)

    assert call(double, {"name": "x", "amount": "2"}) == {"name": "x", "amount": 4}
    assert call(double, {"name": "x"}) == {"name": "x", "amount": 2}


def test_a_strict_model_takes_what_json_can_say() -> None:
    def same(value: Strict) -> Strict:
        return value

    given = {"at": "2026-07-01", "pair": [1, 2]}
    assert call(same, given) == given


def test_a_dict_may_be_returned_where_a_model_is_promised() -> None:
    def make(value: None) -> Item:
        return {"name": "x"}  # type: ignore[return-value]

    assert call(make) == {"name": "x", "amount": 1}


def test_an_input_that_breaks_its_type_is_not_tried_again() -> None:
    def take(item: Item) -> int:
        return 1

    error = failure(take, {"amount": "many"})
    assert isinstance(error, NonRetryable)
    assert str(error) == (
        'Handler "charge" of step "pay.charge[3]" (flow "order", attempt 2) cannot take its input:'
        " name: Field required (and 1 more)."
    )


def test_an_output_that_breaks_its_type_is_a_failure() -> None:
    def make(value: None) -> list[int]:
        return ["x"]  # type: ignore[list-item]

    error = failure(make)
    assert isinstance(error, HandlerFailed)
    assert "returned a value that breaks its own type: 0: Input should be" in str(error)


@pytest.mark.parametrize("returned", [object(), b"x", {1: 2}, {1, 2}, "a\0", float("nan")])
def test_an_output_that_is_no_json_is_a_failure(returned: Any) -> None:
    error = failure(lambda _value: returned)
    assert isinstance(error, HandlerFailed)
    assert "returned no JSON." in str(error)


def test_an_error_of_the_handler_is_a_failure_that_tells_it() -> None:
    def fail(value: Any) -> None:
        raise ValueError("no such card")

    error = failure(fail)
    assert isinstance(error, HandlerFailed)
    assert isinstance(error.__cause__, ValueError)
    told, _, place = str(error).partition(" (tests/unit/runtime/test_attempt.py:")
    assert told == (
        'Handler "charge" of step "pay.charge[3]" (flow "order", attempt 2) raised'
        " ValueError: no such card"
    )
    assert place.endswith(" in fail)")


def test_an_error_without_a_message_is_told_by_its_name() -> None:
    def fail(value: Any) -> None:
        raise KeyError

    assert re.search(r" raised KeyError \(tests/\S+\.py:\d+ in fail\)\.$", str(failure(fail)))


@pytest.mark.parametrize(
    "stop",
    [lambda _: sys.exit(3), lambda _: (_ for _ in ()).throw(KeyboardInterrupt)],
    ids=["exit", "interrupt"],
)
def test_a_handler_that_ends_its_process_only_fails_its_step(stop: Callable[..., Any]) -> None:
    assert isinstance(failure(stop), HandlerFailed)


def test_a_cancelled_coroutine_is_a_failure() -> None:
    async def cancelled(value: Any) -> None:
        raise asyncio.CancelledError

    assert isinstance(failure(cancelled), HandlerFailed)


@pytest.mark.parametrize("error", [RetryAfter(9), NonRetryable("never")])
def test_a_handler_says_itself_what_is_next(error: StepError) -> None:
    def fail(value: Any) -> None:
        raise error

    found = failure(fail)
    assert type(found) is type(error)
    assert getattr(found, "seconds", None) == getattr(error, "seconds", None)
    assert f"attempt 2) raised {type(error).__name__}: {error} (" in str(found)


def test_a_timeout_really_ends_the_wait() -> None:
    over = threading.Event()
    waited: list[bool] = []
    error = failure(lambda _value: waited.append(over.wait(PATIENCE_S)), timeout=0.1)
    assert waited == []
    over.set()
    assert isinstance(error, HandlerTimedOut)
    assert "took longer than its timeout of 0.1 s; make it quicker" in str(error)


def test_a_timeout_ends_the_wait_for_a_coroutine_too() -> None:
    over = threading.Event()

    async def wait(value: Any) -> None:
        await asyncio.to_thread(over.wait, PATIENCE_S)

    assert isinstance(failure(wait, timeout=0.1), HandlerTimedOut)
    over.set()


def test_a_timeout_error_of_the_handlers_own_is_no_timeout_of_the_step() -> None:
    def fail(value: Any) -> None:
        raise TimeoutError("the bank did not answer")

    error = failure(fail)
    assert isinstance(error, HandlerFailed)
    assert not isinstance(error, HandlerTimedOut)


def test_a_handler_sees_the_context_variables_around_it() -> None:
    trace = contextvars.ContextVar("trace", default="none")
    trace.set("t-1")
    assert call(lambda _value: trace.get()) == "t-1"


def test_what_a_handler_does_to_its_input_is_known_to_nobody_else() -> None:
    given = {"lines": [1]}

    def spoil(value: Any) -> Any:
        value["lines"].append(object())
        value["more"] = object()
        return 1

    assert call(spoil, given) == 1
    assert given == {"lines": [1]}


def test_what_an_exception_says_can_be_stored_as_a_value() -> None:
    def fail(_: Any) -> None:
        raise ValueError("a\0b \ud800")

    assert " raised ValueError: a\ufffdb ? (" in str(failure(fail))

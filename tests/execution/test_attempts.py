"""Attempts: how often, with what, and what is not done twice."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.step_errors import NonRetryable, RetryAfter
from tests.execution.harness import gives, run
from tests.polling import PATIENCE_S
from tests.reference.clock import without_waiting

A_DAY = 86_400
"""A start delay that no test waits for: it would not end."""


class Flaky:
    """A handler that fails its first tries, and remembers each."""

    def __init__(self, failures: int, error: Callable[[], Exception] = ValueError) -> None:
        self.failures = failures
        self.error = error
        self.tries: dict[int, list[StepContext]] = defaultdict(list)
        self.inputs: list[Any] = []
        self._lock = threading.Lock()

    def __call__(self, value: Any, ctx: StepContext) -> Any:
        with self._lock:
            self.tries[ctx.task_index].append(ctx)
            self.inputs.append(value)
        if len(self.tries[ctx.task_index]) <= self.failures:
            raise self.error()
        return value


def test_attempts_are_counted_from_one_and_the_input_stays_the_same() -> None:
    flaky = Flaky(failures=2)
    flow = Flow("f", base_delay=0).step("a", **gives({"n": 1})).step("b", depends_on="a")
    result = run(flow, handlers={"b": flaky})
    assert result.outputs["b"] == {"a": {"n": 1}}
    assert [ctx.attempt for ctx in flaky.tries[0]] == [1, 2, 3]
    assert flaky.inputs == [{"a": {"n": 1}}] * 3
    assert result.retries == {"b": 2}
    assert [task.attempts for task in result.tasks["b"]] == [3]


def test_the_idempotency_key_is_the_same_for_every_attempt_and_different_for_every_task() -> None:
    flaky = Flaky(failures=1)
    flow = Flow("f", base_delay=0).map("m", "flaky").step("a", "flaky").subflow("s", "child")
    child = Flow("child", base_delay=0).step("a", "flaky")
    run(flow, [5, 6], others=[child], handlers={"flaky": flaky})
    keys = [
        (ctx.step_path, ctx.task_index, ctx.idempotency_key)
        for tries in flaky.tries.values()
        for ctx in tries
    ]
    assert len(set(keys)) == 4
    assert len({key for _, _, key in keys}) == 4
    [run_id] = {ctx.run_id for tries in flaky.tries.values() for ctx in tries}
    assert {key for _, _, key in keys} == {
        f"{run_id}:m:0",
        f"{run_id}:m:1",
        f"{run_id}:a:0",
        f"{run_id}:s.a:0",
    }


@pytest.mark.parametrize(("max_attempts", "tries"), [(1, 1), (2, 2), (0, 1)])
def test_max_attempts_counts_all_tries(max_attempts: int, tries: int) -> None:
    flaky = Flaky(failures=9)
    result = run(
        Flow("f", base_delay=0, max_attempts=max_attempts).step("a"), handlers={"a": flaky}
    )
    assert not result.success
    assert len(flaky.tries[0]) == tries
    assert f"attempt {tries}) raised ValueError (" in result.error


def test_a_step_is_tried_three_times_when_nobody_says_otherwise() -> None:
    flaky = Flaky(failures=9)
    run(Flow("f", base_delay=0).step("a"), handlers={"a": flaky})
    assert len(flaky.tries[0]) == 3


def test_the_options_of_a_step_go_before_those_of_the_flow() -> None:
    flaky = Flaky(failures=9)
    flow = Flow("f", base_delay=0, max_attempts=1).step("a", max_attempts=2)
    run(flow, handlers={"a": flaky})
    assert len(flaky.tries[0]) == 2


def test_a_subflow_has_the_options_of_its_own_flow() -> None:
    flaky = Flaky(failures=9)
    child = Flow("child", base_delay=0, max_attempts=2).step("a", "flaky")
    run(Flow("f", max_attempts=1).subflow("s", child), others=[child], handlers={"flaky": flaky})
    assert len(flaky.tries[0]) == 2


def test_the_delay_before_another_try_is_really_waited() -> None:
    flaky = Flaky(failures=1, error=lambda: RetryAfter(0.5, "the bank is closed"))
    begun = time.perf_counter()
    result = run(Flow("f").step("a"), handlers={"a": flaky})
    assert result.success
    assert time.perf_counter() - begun >= 0.5


@pytest.mark.parametrize("seconds", [0, -1])
def test_retry_after_nothing_means_at_once(seconds: float) -> None:
    flaky = Flaky(failures=1, error=lambda: RetryAfter(seconds))
    assert run(Flow("f").step("a"), handlers={"a": flaky}).success


@pytest.mark.parametrize("seconds", ["soon", "inf", float("nan"), None])
def test_a_delay_that_is_none_is_an_error_of_the_handler_like_any_other(seconds: Any) -> None:
    flaky = Flaky(failures=1, error=lambda: RetryAfter(seconds))
    result = run(Flow("f", base_delay=0).step("a"), handlers={"a": flaky})
    assert result.success
    assert result.retries == {"a": 1}


def test_a_delay_may_be_the_text_of_a_number() -> None:
    assert RetryAfter("120").seconds == 120


def test_retry_after_gives_no_more_attempts() -> None:
    flaky = Flaky(failures=9, error=lambda: RetryAfter(0, "closed"))
    result = run(Flow("f", max_attempts=2).step("a"), handlers={"a": flaky})
    assert len(flaky.tries[0]) == 2
    assert "attempt 2) raised RetryAfter: closed (" in result.error


def test_what_must_not_be_tried_again_is_not() -> None:
    flaky = Flaky(failures=9, error=lambda: NonRetryable("no such card"))
    result = run(Flow("f").step("a"), handlers={"a": flaky})
    assert len(flaky.tries[0]) == 1
    assert 'step "a" (flow "f", attempt 1) raised NonRetryable: no such card (' in result.error


def test_a_timeout_is_a_failed_attempt() -> None:
    tries: list[int] = []
    waited: list[bool] = []
    over = threading.Event()

    def slow_once(value: Any, ctx: StepContext) -> int:
        tries.append(ctx.attempt)
        if ctx.attempt == 1:
            waited.append(over.wait(PATIENCE_S))
        return ctx.attempt

    begun = time.perf_counter()
    result = run(Flow("f", timeout=1, base_delay=0).step("a"), handlers={"a": slow_once})
    assert time.perf_counter() - begun >= 1
    assert waited == []
    over.set()
    assert result.outputs == {"a": 2}
    assert tries == [1, 2]


def test_the_start_delay_is_waited_once_before_the_first_try() -> None:
    begun = time.time()
    flaky = Flaky(failures=1)
    result = run(Flow("f", base_delay=0).step("a", start_delay=1), handlers={"a": flaky})
    assert result.success
    assert result.tasks["a"][0].started_at - begun >= 1
    # Once for the delay, and once for the failure.
    assert result.retries == {"a": 2}


def test_a_skipped_step_has_no_start_delay() -> None:
    flow = Flow("f").step("a", "echo", start_delay=A_DAY, if_={"x": 1})
    assert run(flow, {}).skips == {"a": "condition_unmet"}


def test_finished_elements_of_a_batch_are_not_run_again() -> None:
    tries: dict[int, int] = defaultdict(int)

    def odd_ones_fail_once(value: int, ctx: StepContext) -> int:
        tries[ctx.task_index] += 1
        if value % 2 and tries[ctx.task_index] == 1:
            raise ValueError
        return value * 10

    flow = Flow("f", base_delay=0).map("m", batch_size=4)
    result = run(flow, [0, 1, 2, 3, 4], handlers={"m": odd_ones_fail_once})
    assert result.outputs == {"m": [0, 10, 20, 30, 40]}
    assert tries == {0: 1, 1: 2, 2: 1, 3: 2, 4: 1}
    reports = {task.index: (task.status, task.attempts) for task in result.tasks["m"]}
    assert reports == {
        0: ("completed", 1),
        1: ("completed", 2),
        2: ("completed", 1),
        3: ("completed", 2),
        4: ("completed", 1),
    }


@pytest.mark.parametrize("value", [None, 0, False, ""])
def test_a_finished_element_with_a_falsy_output_is_finished(value: Any) -> None:
    tries: list[int] = []

    def fail_second_once(element: Any, ctx: StepContext) -> Any:
        tries.append(ctx.task_index)
        if ctx.task_index == 1 and ctx.attempt == 1:
            raise ValueError
        return value

    flow = Flow("f", base_delay=0).map("m", batch_size=2)
    result = run(flow, [1, 2], handlers={"m": fail_second_once})
    assert result.outputs == {"m": [value, value]}
    assert tries == [0, 1, 1]


def test_elements_in_ops_of_their_own_are_tried_again_alone() -> None:
    flaky = Flaky(failures=0)

    def only_the_second(value: int, ctx: StepContext) -> int:
        flaky.tries[ctx.task_index].append(ctx)
        if value == 2 and ctx.attempt < 3:
            raise ValueError
        return value

    result = run(Flow("f", base_delay=0).map("m"), [1, 2, 3], handlers={"m": only_the_second})
    assert result.outputs == {"m": [1, 2, 3]}
    assert {index: len(tries) for index, tries in flaky.tries.items()} == {0: 1, 1: 3, 2: 1}


def test_a_batch_that_cannot_be_saved_tells_what_was_finished() -> None:
    flow = Flow("f", base_delay=0, max_attempts=2).map("m", "divide", batch_size=3)
    result = run(flow, [1, 0, 2], handlers={"divide": lambda value: 1 / value})
    assert not result.success
    assert [(task.index, task.status, task.attempts) for task in result.tasks["m"]] == [
        (0, "completed", 1),
        (1, "failed", 2),
        (2, "completed", 1),
    ]


def test_a_start_delay_takes_no_attempt() -> None:
    flaky = Flaky(failures=1)
    flow = Flow("f", base_delay=0, max_attempts=2).step("a", start_delay=A_DAY)
    with without_waiting():
        assert run(flow, handlers={"a": flaky}).success
    assert [context.attempt for context in flaky.tries[0]] == [1, 2]


def test_a_start_delay_goes_with_a_step_that_is_never_tried_again() -> None:
    for max_attempts in (0, 1):
        flow = Flow("f").step("a", "echo", start_delay=A_DAY, max_attempts=max_attempts)
        with without_waiting():
            assert run(flow).success


def test_no_process_sleeps_through_a_start_delay() -> None:
    order: list[str] = []
    flow = Flow("f").step("late", "note", start_delay=A_DAY).step("soon", "note")

    def note(value: Any, ctx: StepContext) -> None:
        order.append(ctx.step_slug)

    with without_waiting():
        assert run(flow, handlers={"note": note}).success
    assert order == ["soon", "late"]


def test_an_unknown_handler_is_told_before_the_start_delay() -> None:
    result = run(Flow("f").step("a", "nowhere", start_delay=A_DAY))
    assert "nowhere" in result.error
    assert result.retries == {}


def test_a_map_step_waits_once_not_for_each_element() -> None:
    flow = Flow("f").step("a", "items").map("m", "echo", depends_on="a", start_delay=A_DAY)
    with without_waiting() as clock:
        result = run(flow, handlers={"items": lambda _given: [1, 2, 3, 4, 5]})
    assert result.outputs["m"] == [1, 2, 3, 4, 5]
    assert 0.9 * A_DAY < clock.slept < 2 * A_DAY

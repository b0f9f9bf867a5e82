"""Attempts, their reports, and what failure leads to."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.options import FlowOptions, StepOptions, retry_policy_of
from dagster_pgflow.runtime.tasks import Tasks, TryAgain
from dagster_pgflow.runtime.values import Skipped
from dagster_pgflow.step_errors import HandlerFailed, NonRetryable, RetryAfter, StepError
from dagster_pgflow.step_path import StepPath

OOPS = HandlerFailed("oops")


def tasks(attempt: int = 1, max_attempts: int = 3, when_exhausted: Any = "fail") -> Tasks:
    [step] = Flow("f").map("m", when_exhausted=when_exhausted).steps
    retry_policy = retry_policy_of(FlowOptions(), StepOptions(max_attempts=max_attempts))
    return Tasks(step, StepPath("s.m"), retry_policy, attempt)


def raising(error: StepError) -> Callable[[int, Any], Any]:
    def call(index: int, value: Any) -> Any:
        raise error

    return call


def test_a_task_that_completes_is_reported() -> None:
    found = tasks(attempt=2)
    assert found.run(7, 21, lambda index, value: [index, value]) == [7, 21]
    report = found.reports[7]
    assert (report.index, report.status, report.attempts, report.error) == (7, "completed", 2, None)
    assert 0 < report.started_at <= report.completed_at
    assert found.settle() is None


def test_a_task_that_fails_is_reported_with_its_error() -> None:
    found = tasks()
    assert found.run(0, None, raising(OOPS)) is None
    report = found.reports[0]
    assert (report.status, report.attempts, report.error) == ("failed", 1, "oops")


def test_an_error_of_ours_is_not_kept_but_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        tasks().run(0, None, lambda _index, _value: 1 / 0)


def test_while_attempts_are_left_the_step_is_tried_again() -> None:
    for attempt, seconds in [(1, 10), (2, 20)]:
        found = tasks(attempt)
        found.run(0, None, raising(OOPS))
        with pytest.raises(TryAgain) as caught:
            found.settle()
        assert (caught.value.seconds, caught.value.error) == (seconds, OOPS)


@pytest.mark.parametrize(("attempt", "max_attempts"), [(3, 3), (1, 1), (1, 0), (4, 3)])
def test_after_the_last_attempt_the_step_fails_with_the_first_error(
    attempt: int, max_attempts: int
) -> None:
    found = tasks(attempt, max_attempts)
    found.run(0, None, raising(OOPS))
    found.run(1, None, raising(HandlerFailed("later")))
    with pytest.raises(HandlerFailed, match="oops"):
        found.settle()


@pytest.mark.parametrize("cascade", [False, True])
def test_after_the_last_attempt_the_step_may_be_skipped(cascade: bool) -> None:
    found = tasks(3, when_exhausted="skip-cascade" if cascade else "skip")
    found.run(0, None, raising(OOPS))
    assert found.settle() == Skipped("handler_failed", StepPath("s.m"), cascade=cascade)


def test_an_error_that_must_not_be_tried_again_ends_the_attempts_of_its_task_alone() -> None:
    found = tasks(attempt=1)
    found.run(1, None, raising(NonRetryable("never")))
    found.run(0, None, raising(OOPS))
    found.run(2, None, lambda _index, _value: "done")
    with pytest.raises(TryAgain) as caught:
        found.settle()
    assert caught.value.error == OOPS
    again = tasks(attempt=2)
    assert again.resume(json.loads(json.dumps(found.finished({2: "done"})))) == {2: "done"}
    assert {index: report.attempts for index, report in again.reports.items()} == {1: 1, 2: 1}
    again.run(0, None, lambda _index, _value: "done")
    with pytest.raises(NonRetryable, match="never"):
        again.settle()


@pytest.mark.parametrize(
    ("errors", "seconds"),
    [
        ([RetryAfter(3)], 3),
        ([RetryAfter(0)], 0),
        ([RetryAfter(-5)], 0),
        ([RetryAfter(3), OOPS], 10),
        ([OOPS, RetryAfter(30)], 30),
        ([RetryAfter(999_999_999)], 3600),
        ([RetryAfter(1e300), OOPS], 3600),
    ],
)
def test_the_longest_wait_that_was_asked_for_holds(errors: list[StepError], seconds: float) -> None:
    found = tasks()
    for index, error in enumerate(errors):
        found.run(index, None, raising(error))
    with pytest.raises(TryAgain) as caught:
        found.settle()
    assert caught.value.seconds == seconds


def test_asking_for_another_try_gives_no_more_attempts() -> None:
    found = tasks(attempt=3)
    found.run(0, None, raising(RetryAfter(1, "the bank is closed")))
    with pytest.raises(RetryAfter, match="the bank is closed"):
        found.settle()


def test_a_map_that_collects_errors_settles_with_them_when_no_attempt_is_left() -> None:
    [step] = Flow("f").map("m", collect_errors=True).steps
    retry_policy = retry_policy_of(FlowOptions(), StepOptions(max_attempts=2))
    for attempt, is_last in [(1, False), (2, True)]:
        found = Tasks(step, StepPath("m"), retry_policy, attempt)
        found.run(0, None, raising(OOPS))
        if is_last:
            assert found.settle() is None
        else:
            with pytest.raises(TryAgain):
                found.settle()


def test_what_an_earlier_run_completed_is_taken_over_and_what_failed_there_is_not() -> None:
    before = tasks()
    before.run(0, None, lambda _index, _value: "done")
    before.run(1, None, raising(NonRetryable("never")))
    kept = json.loads(json.dumps(before.finished({0: "done"})))
    now = tasks()
    assert now.reuse(kept) == {0: "done"}
    assert now.errors == {}
    assert [(report.index, report.is_reused) for report in now.reported] == [(0, True)]
    assert now.tried == ()


def test_only_the_tasks_of_this_attempt_were_tried_in_it() -> None:
    first = tasks()
    first.run(0, None, lambda _index, _value: 1)
    first.run(1, None, raising(OOPS))
    second = tasks(attempt=2)
    second.resume(json.loads(json.dumps(first.finished({0: 1}))))
    second.run(1, None, lambda _index, _value: 2)
    assert [report.index for report in first.tried] == [0, 1]
    assert [report.index for report in second.tried] == [1]

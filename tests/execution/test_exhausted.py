"""What happens after the last failed attempt."""

from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.step_errors import NonRetryable
from tests.execution.harness import gives, run

HANDLERS = {"divide": lambda value: 1 / value, "fail": lambda _: 1 / 0}


def flow_of(when_exhausted: Any) -> Flow:
    return (
        Flow("f", max_attempts=2, base_delay=0)
        .step("a", "fail", when_exhausted=when_exhausted)
        .step("b", **gives(2))
        .step("c", "echo", depends_on=["a", "b"])
        .step("d", "echo", depends_on="c")
    )


def test_by_default_the_run_fails() -> None:
    result = run(Flow("f", max_attempts=1).step("a", "fail"), handlers=HANDLERS)
    assert not result.success
    assert result.statuses == {"a": "failed"}


def test_the_run_fails_when_told_so() -> None:
    result = run(flow_of("fail"), handlers=HANDLERS)
    assert not result.success
    assert result.statuses == {"a": "failed", "b": "completed"}


def test_the_step_is_skipped_and_its_dependents_run_without_its_key() -> None:
    result = run(flow_of("skip"), handlers=HANDLERS)
    assert result.success
    assert result.skips == {"a": "handler_failed"}
    assert result.outputs == {"b": 2, "c": {"b": 2}, "d": {"c": {"b": 2}}}
    assert result.retries == {"a": 1}
    [report] = result.tasks["a"]
    assert (report.status, report.attempts) == ("failed", 2)
    assert "division by zero" in (report.error or "")


def test_the_skip_cascades() -> None:
    result = run(flow_of("skip-cascade"), handlers=HANDLERS)
    assert result.success
    assert result.skips == {
        "a": "handler_failed",
        "c": "dependency_skipped",
        "d": "dependency_skipped",
    }


def test_what_must_not_be_tried_again_is_skipped_at_once() -> None:
    def never(value: Any) -> None:
        raise NonRetryable("never")

    flow = Flow("f").step("a", when_exhausted="skip")
    result = run(flow, handlers={"a": never})
    assert result.skips == {"a": "handler_failed"}
    assert result.retries == {}


def test_a_step_that_succeeds_in_the_end_is_not_skipped() -> None:
    def second(value: Any, ctx: StepContext) -> int:
        return 1 // (ctx.attempt - 1)

    flow = Flow("f", base_delay=0).step("a", when_exhausted="skip")
    assert run(flow, handlers={"a": second}).outputs == {"a": 1}


@pytest.mark.parametrize("batch_size", [1, 2, 9])
@pytest.mark.parametrize("mode", ["fail", "skip", "skip-cascade"])
def test_one_failed_task_fails_or_skips_the_whole_map(mode: Any, batch_size: int) -> None:
    flow = (
        Flow("f", max_attempts=1)
        .map("m", "divide", batch_size=batch_size, when_exhausted=mode)
        .step("b", "echo", depends_on="m")
        .map("n", "echo", depends_on="m")
        .step("c", "echo", depends_on="n")
    )
    result = run(flow, [1, 0, 4], handlers=HANDLERS)
    expected = {
        "fail": {"m": "failed"},
        "skip": {"m": "skipped", "b": "completed", "n": "completed", "c": "completed"},
        "skip-cascade": dict.fromkeys("mbnc", "skipped"),
    }
    assert result.statuses == expected[mode]
    assert result.success is (mode != "fail")
    if mode == "skip":
        assert result.outputs == {"b": {}, "n": [], "c": {"n": []}}


def test_a_missing_handler_is_no_failed_attempt_that_could_be_skipped() -> None:
    result = run(Flow("f").step("a", when_exhausted="skip"))
    assert not result.success
    assert "has no handler" in result.error
    assert result.retries == {}

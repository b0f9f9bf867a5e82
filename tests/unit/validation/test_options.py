import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.concurrency import concurrency_keys_are_values
from dagster_pgflow.validation.options import options_are_in_range, timeouts_agree
from tests.unit.validation.problems import places, problems_found

LEAST = {
    "max_attempts": 0,
    "base_delay": 0,
    "timeout": 1,
    "timeout_ms": 1,
    "max_delay": 0,
    "start_delay": 0,
}
MOST = 2147483647


@pytest.mark.parametrize(("name", "least"), LEAST.items())
def test_the_least_and_the_most_are_no_problem(name: str, least: int) -> None:
    for value in (least, MOST):
        flow = Flow("f").step("a", **{name: value})  # type: ignore[arg-type]
        assert problems_found(options_are_in_range, flow) == []


@pytest.mark.parametrize(("name", "least"), LEAST.items())
def test_a_value_out_of_range_is_a_problem_of_the_step(name: str, least: int) -> None:
    for value in (least - 1, MOST + 1):
        flow = Flow("f").step("a", **{name: value})  # type: ignore[arg-type]
        assert problems_found(options_are_in_range, flow) == [
            (
                "option-out-of-range",
                f"steps.a.options.{name}",
                f"{name} is {value}; it must be from {least} to {MOST}.",
            )
        ]


def test_a_value_out_of_range_is_a_problem_of_the_flow() -> None:
    flow = Flow("f", max_attempts=-1, base_delay=-1, timeout=0, max_delay=-1)
    assert places(options_are_in_range, flow) == [
        ("option-out-of-range", "options.max_attempts"),
        ("option-out-of-range", "options.base_delay"),
        ("option-out-of-range", "options.timeout"),
        ("option-out-of-range", "options.max_delay"),
    ]


def test_a_timeout_that_is_said_twice_is_said_alike() -> None:
    agreeing = Flow("f", timeout=2, timeout_ms=2000).step("a", timeout=1, timeout_ms=1000)
    assert problems_found(timeouts_agree, agreeing) == []
    assert problems_found(timeouts_agree, Flow("f", timeout=60, timeout_ms=5)) == []
    assert problems_found(timeouts_agree, Flow("f").step("a", timeout=60, timeout_ms=5)) == [
        (
            "two-timeouts",
            "steps.a.options.timeout_ms",
            "timeout is 60 s and timeout_ms is 5 ms; leave one of them out.",
        )
    ]
    assert places(timeouts_agree, Flow("f", timeout=3, timeout_ms=2999)) == [
        ("two-timeouts", "options.timeout_ms")
    ]


@pytest.mark.parametrize("name", ["max_concurrent_runs", "max_concurrent_runs_per_key"])
def test_a_number_of_runs_is_one_or_more(name: str) -> None:
    for value, found in ((0, 1), (1, 0), (MOST, 0), (MOST + 1, 1)):
        flow = Flow("f", concurrency_key="input.a", **{name: value})
        assert len(problems_found(options_are_in_range, flow)) == found


@pytest.mark.parametrize(
    "key", ["", "input.", "output.x", "input == ", "timestamp(input)", "x" * 9]
)
def test_a_concurrency_key_is_an_expression_over_the_input(key: str) -> None:
    assert places(concurrency_keys_are_values, Flow("f", concurrency_key=key)) == [
        ("invalid-expression", "options.concurrency_key")
    ]


def test_a_limit_per_key_needs_a_key() -> None:
    flow = Flow("f", max_concurrent_runs_per_key=1)
    assert places(concurrency_keys_are_values, flow) == [
        ("limit-without-key", "options.max_concurrent_runs_per_key")
    ]
    assert problems_found(concurrency_keys_are_values, Flow("f", concurrency_key="input.a")) == []

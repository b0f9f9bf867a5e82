"""How the options of product, flow and step are merged."""

from typing import Any

import pytest

from dagster_pgflow.model.options import FlowOptions, RetryPolicy, StepOptions, retry_policy_of


def test_without_a_word_the_defaults_of_the_product_hold() -> None:
    assert retry_policy_of(FlowOptions(), StepOptions()) == RetryPolicy(
        max_attempts=3, base_delay=5, timeout=60, max_delay=3600, jitter="none", start_delay=0
    )


def test_the_flow_overrides_the_product_and_the_step_overrides_the_flow() -> None:
    flow = FlowOptions(max_attempts=5, base_delay=1, timeout=10, jitter="full")
    step = StepOptions(max_attempts=1, timeout=2, start_delay=7, max_delay=30)
    assert retry_policy_of(flow, step) == RetryPolicy(
        max_attempts=1, base_delay=1, timeout=2, max_delay=30, jitter="full", start_delay=7
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_attempts", 1),
        ("base_delay", 1),
        ("timeout", 1),
        ("max_delay", 1),
        ("jitter", "none"),
        ("start_delay", 1),
    ],
)
def test_setting_one_option_never_loses_the_others(name: str, value: Any) -> None:
    said: dict[str, Any] = {
        "max_attempts": 7,
        "base_delay": 8,
        "timeout": 9,
        "max_delay": 10,
        "jitter": "plus-minus",
    }
    retry_policy = retry_policy_of(FlowOptions(**said), StepOptions.model_validate({name: value}))
    assert retry_policy == RetryPolicy(**{**said, "start_delay": 0, name: value})


def test_milliseconds_hold_in_place_of_the_seconds_of_who_says_them() -> None:
    flow = FlowOptions(timeout=9, timeout_ms=250)
    assert retry_policy_of(flow, StepOptions()).timeout == 0.25
    assert retry_policy_of(flow, StepOptions(timeout=2)).timeout == 2
    assert retry_policy_of(FlowOptions(), StepOptions(timeout_ms=1)).timeout == 0.001


def test_zero_is_a_word_and_not_an_absence() -> None:
    said = StepOptions(base_delay=0, max_attempts=0, max_delay=0)
    retry_policy = retry_policy_of(FlowOptions(base_delay=5, max_delay=9), said)
    assert (retry_policy.base_delay, retry_policy.max_attempts, retry_policy.max_delay) == (0, 0, 0)

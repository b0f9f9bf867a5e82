"""Delays between attempts."""

import random

import pytest

from dagster_pgflow.model.options import (
    FlowOptions,
    Jitter,
    RetryPolicy,
    StepOptions,
    retry_policy_of,
)
from dagster_pgflow.runtime.backoff import delay_before


def retry_policy(
    base_delay: int, max_delay: int | None = None, jitter: Jitter | None = None
) -> RetryPolicy:
    options = StepOptions(base_delay=base_delay, max_delay=max_delay, jitter=jitter)
    return retry_policy_of(FlowOptions(), options)


@pytest.mark.parametrize(
    ("attempt", "base_delay", "seconds"), [(2, 5, 10), (3, 5, 20), (4, 5, 40), (2, 1, 2), (9, 0, 0)]
)
def test_the_delay_doubles_with_each_failure(attempt: int, base_delay: int, seconds: int) -> None:
    assert delay_before(attempt, retry_policy(base_delay)) == seconds


@pytest.mark.parametrize("attempt", [20, 1_000, 2**31])
def test_the_delay_is_capped_however_many_failures_there_were(attempt: int) -> None:
    assert delay_before(attempt, retry_policy(5)) == 3600


@pytest.mark.parametrize(("attempt", "seconds"), [(2, 10), (3, 20), (4, 30), (5, 30)])
def test_the_cap_is_an_option(attempt: int, seconds: int) -> None:
    assert delay_before(attempt, retry_policy(5, max_delay=30)) == seconds


@pytest.mark.parametrize(
    ("jitter", "least", "most"),
    [("none", 20, 20), ("full", 0, 20), ("plus-minus", 0, 25)],
)
def test_jitter_spreads_the_delay_as_far_as_it_says(jitter: Jitter, least: int, most: int) -> None:
    draw = random.Random(7).random
    delays = [
        delay_before(3, retry_policy(5, max_delay=25, jitter=jitter), draw) for _ in range(1_000)
    ]
    assert least <= min(delays) <= least + 0.5
    assert most - 0.5 <= max(delays) <= most


def test_full_jitter_is_half_the_delay_on_average() -> None:
    draw = random.Random(7).random
    delays = [delay_before(3, retry_policy(5, jitter="full"), draw) for _ in range(2_000)]
    assert sum(delays) / len(delays) == pytest.approx(10, rel=0.05)

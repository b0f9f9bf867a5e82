import pytest

from dagster_pgflow.runtime.backoff import MAX_DELAY, delay_before


@pytest.mark.parametrize(
    ("attempt", "base_delay", "seconds"), [(2, 5, 10), (3, 5, 20), (4, 5, 40), (2, 1, 2), (9, 0, 0)]
)
def test_the_delay_doubles_with_each_failure(attempt: int, base_delay: int, seconds: int) -> None:
    assert delay_before(attempt, base_delay) == seconds


@pytest.mark.parametrize("attempt", [20, 1_000, 2**31])
def test_the_delay_is_capped_however_many_failures_there_were(attempt: int) -> None:
    assert delay_before(attempt, 5) == MAX_DELAY

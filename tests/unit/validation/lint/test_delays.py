import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.lint.delays import delays_have_an_effect
from tests.unit.validation.problems import places, problems_found


def test_between_tries_there_must_be_two() -> None:
    flow = Flow("f").step("a", max_attempts=1, base_delay=2, jitter="full").step("b")
    assert problems_found(delays_have_an_effect, flow) == [
        (
            "delay-without-retry",
            "steps.a.options",
            (
                'Step "a" says how to wait between tries (base_delay, jitter), but has only one'
                " try; raise max_attempts, or leave this out."
            ),
        )
    ]


@pytest.mark.parametrize("option", [{"base_delay": 2}, {"max_delay": 9}, {"jitter": "none"}])
@pytest.mark.parametrize("tries", [0, 1])
def test_the_tries_of_the_flow_count_for_a_step_that_says_none(
    option: dict[str, int], tries: int
) -> None:
    flow = Flow("f", max_attempts=tries).step("a", **option).step("b", max_attempts=2, **option)  # type: ignore[arg-type]
    assert places(delays_have_an_effect, flow) == [("delay-without-retry", "steps.a.options")]


def test_a_flow_waits_as_long_as_one_of_its_steps_is_tried_again() -> None:
    once = Flow("f", jitter="full", max_attempts=1).step("a").subflow("s", "other")
    assert places(delays_have_an_effect, once) == [("delay-without-retry", "options")]
    assert problems_found(delays_have_an_effect, once.step("b", max_attempts=2)) == []
    assert problems_found(delays_have_an_effect, Flow("f", jitter="full", max_attempts=1)) == []


def test_a_timeout_and_a_start_delay_need_no_second_try() -> None:
    flow = Flow("f").step("a", max_attempts=1, timeout=3, start_delay=4)
    assert problems_found(delays_have_an_effect, flow) == []


def test_the_first_delay_is_no_longer_than_the_longest() -> None:
    flow = Flow("f").step("a", base_delay=60, max_delay=30).step("b", base_delay=30, max_delay=30)
    assert problems_found(delays_have_an_effect, flow) == [
        (
            "base-delay-above-max-delay",
            "steps.a.options",
            (
                'Step "a" has a base_delay of 60 s and a max_delay of 30 s, so every wait is'
                " 30 s; lower base_delay, or raise max_delay."
            ),
        )
    ]


def test_the_default_of_max_delay_counts_and_is_called_so() -> None:
    [(code, path, message)] = problems_found(
        delays_have_an_effect, Flow("f", base_delay=7200).step("a")
    )
    assert (code, path) == ("base-delay-above-max-delay", "options")
    assert "a max_delay of 3600 s (the default)," in message


def test_what_flow_and_step_say_together_is_told_where_the_step_says_its_part() -> None:
    flow = Flow("f", base_delay=60).step("a", max_delay=30).step("b").step("c", base_delay=7200)
    assert places(delays_have_an_effect, flow) == [
        ("base-delay-above-max-delay", "steps.a.options"),
        ("base-delay-above-max-delay", "steps.c.options"),
    ]


def test_a_cap_below_the_default_delay_is_no_problem() -> None:
    assert (
        problems_found(delays_have_an_effect, Flow("f", max_delay=2).step("a", max_delay=1)) == []
    )

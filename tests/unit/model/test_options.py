"""How the options of product, flow and step are merged."""

import pytest

from dagster_pgflow.model.options import Effort, FlowOptions, StepOptions, effort_of


def test_without_a_word_the_defaults_of_the_product_hold() -> None:
    assert effort_of(FlowOptions(), StepOptions()) == Effort(
        max_attempts=3, base_delay=5, timeout=60, start_delay=0
    )


def test_the_flow_overrides_the_product_and_the_step_overrides_the_flow() -> None:
    flow = FlowOptions(max_attempts=5, base_delay=1, timeout=10)
    step = StepOptions(max_attempts=1, timeout=2, start_delay=7)
    assert effort_of(flow, step) == Effort(max_attempts=1, base_delay=1, timeout=2, start_delay=7)


@pytest.mark.parametrize("name", ["max_attempts", "base_delay", "timeout"])
def test_setting_one_option_never_loses_the_others(name: str) -> None:
    flow = FlowOptions(max_attempts=7, base_delay=8, timeout=9)
    effort = effort_of(flow, StepOptions.model_validate({name: 1}))
    expected = {"max_attempts": 7, "base_delay": 8, "timeout": 9, "start_delay": 0, name: 1}
    assert effort == Effort(**expected)


def test_zero_is_a_word_and_not_an_absence() -> None:
    effort = effort_of(FlowOptions(base_delay=5), StepOptions(base_delay=0, max_attempts=0))
    assert (effort.base_delay, effort.max_attempts) == (0, 0)

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.options import options_are_in_range
from tests.unit.validation.findings import findings, places

LEAST = {"max_attempts": 0, "base_delay": 0, "timeout": 1, "max_delay": 0, "start_delay": 0}
MOST = 2147483647


@pytest.mark.parametrize(("name", "least"), LEAST.items())
def test_the_least_and_the_most_are_no_problem(name: str, least: int) -> None:
    for value in (least, MOST):
        flow = Flow("f").step("a", **{name: value})  # type: ignore[arg-type]
        assert findings(options_are_in_range, flow) == []


@pytest.mark.parametrize(("name", "least"), LEAST.items())
def test_a_value_out_of_range_is_a_problem_of_the_step(name: str, least: int) -> None:
    for value in (least - 1, MOST + 1):
        flow = Flow("f").step("a", **{name: value})  # type: ignore[arg-type]
        assert findings(options_are_in_range, flow) == [
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

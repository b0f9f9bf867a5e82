"""`pgflow.fail`: a step that is there to fail."""

from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.step_errors import NonRetryable
from dagster_pgflow.validation.validate import validate
from tests.unit.runtime.nodes import output_of


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("No way.", "No way."),
        ("Order ${$nodes.a.id} of ${$input.who}: {}", "Order 7 of Ada: {}"),
    ],
)
def test_it_fails_for_good_with_its_message_and_nothing_else(message: str, told: str) -> None:
    with pytest.raises(NonRetryable) as caught:
        output_of(
            "fail",
            {"message": message},
            {"a": {"id": 7}},
            depends_on=("a",),
            flow_input={"who": "Ada"},
        )
    assert str(caught.value) == told


def test_a_reference_that_leads_nowhere_fails_it_too() -> None:
    with pytest.raises(NonRetryable, match="who"):
        output_of("fail", {"message": "${$input.who}"}, {}, flow_input={})


@pytest.mark.parametrize("params", [{}, {"message": ""}, {"message": 3}, {"message": "x", "y": 1}])
def test_it_needs_a_message_and_takes_nothing_else(params: dict[str, Any]) -> None:
    problems = validate(Flow("f").step("a", "pgflow.fail", params=params))
    assert [problem.path.startswith("steps.a.params") for problem in problems] == [True]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"error": {"message": "No card"}}, "Over. No card The keys of its data: error."),
        ({"error": "late", "n": 1}, "Over. late The keys of its data: error, n."),
        ({"error": {"code": 1}}, 'Over. {"code": 1} The keys of its data: error.'),
        ({}, "Over. The keys of its data: none."),
        ([1], "Over. The keys of its data: none."),
        ({"error": "x" * 501, "k": 1}, f"Over. {'x' * 500} … The keys of its data: error, k."),
    ],
)
def test_it_tells_the_reason_and_the_keys_of_what_it_received(value: Any, told: str) -> None:
    params = {"message": "Over.", "because": ["error.message", "error"], "tells_keys": True}
    with pytest.raises(NonRetryable) as caught:
        output_of("fail", params, value, depends_on=("a",))
    assert str(caught.value) == told

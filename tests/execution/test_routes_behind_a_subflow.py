"""Which steps run behind a subflow with a failure step: the table on the page about subflows."""

from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from tests.execution.harness import run

PAYMENT = Flow("payment", max_attempts=1).step("charge", "charge")
ORDER = (
    Flow("order")
    .subflow("pay", PAYMENT, if_not={"free": True}, on_failure="cancel")
    .step("ship", "echo", depends_on="pay")
    .step("box", "echo", depends_on="ship")
    .step("cancel", "echo", depends_on="pay")
    .step("note", "echo", depends_on="cancel")
    .step("close", "echo", depends_on=["box", "note"])
)
NOT_TAKEN = "not_taken"


def charge(given: dict[str, Any]) -> str:
    if given["card"] == "bad":
        raise ValueError("no such card")
    return "charged"


@pytest.mark.parametrize(
    ("given", "skips", "ship", "close"),
    [
        ({"card": "good"}, {"cancel": NOT_TAKEN, "note": NOT_TAKEN}, {"pay"}, {"box"}),
        ({"card": "bad"}, {"ship": NOT_TAKEN, "box": NOT_TAKEN}, None, {"note"}),
        (
            {"free": True},
            {"cancel": NOT_TAKEN, "note": NOT_TAKEN},
            set(),
            {"box"},
        ),
    ],
)
def test_each_way_is_taken_or_left_as_the_page_says(
    given: Any, skips: dict[str, str], ship: set[str] | None, close: set[str]
) -> None:
    result = run(ORDER, given, others=[PAYMENT], handlers={"charge": charge})
    assert result.success
    assert {path: reason for path, reason in result.skips.items() if "." not in path} == skips
    assert set(result.outputs["close"]) == close
    assert (set(result.outputs["ship"]) if "ship" in result.outputs else None) == ship
    if given.get("card") == "bad":
        assert set(result.outputs["cancel"]["pay"]) == {"error", "child_trace"}

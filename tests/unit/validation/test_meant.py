"""Where a slug is none, the one that may be meant is told."""

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.validate import validate


def said(flow: Flow, *others: Flow) -> str:
    known = {one.slug: one for one in (flow, *others)}
    return " ".join(str(problem) for problem in validate(flow, known))


@pytest.mark.parametrize(
    "flow",
    [
        Flow("f").step("charge").step("s", depends_on="chrage"),
        Flow("f").step("charge").branch("s", rules=[("true", "chrage")]),
        Flow("f").step("charge").step("s", on_failure="chrage"),
        Flow("f")
        .step("charge")
        .loop("s", back_to="chrage", condition="true", max_iterations=2, depends_on="charge"),
    ],
)
def test_a_step_that_may_be_meant_is_told(flow: Flow) -> None:
    assert '"chrage" ("charge" may be meant)' in said(flow)


def test_a_flow_that_may_be_meant_is_told() -> None:
    flow = Flow("f").subflow("pay", flow="paymnet")
    other = Flow("payment").step("s")
    assert 'runs flow "paymnet" ("payment" may be meant), which' in said(flow, other)


def test_nothing_is_guessed_where_nothing_is_near() -> None:
    assert "may be meant" not in said(Flow("f").step("a").step("s", depends_on="elsewhere"))

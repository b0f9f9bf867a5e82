import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.failure_steps import failures_lead_to_a_step
from dagster_pgflow.validation.validate import validate
from tests.unit.validation.findings import findings

START = Flow("f").step("before").subflow("pay", "payment", depends_on="before", on_failure="mend")


def test_a_failure_step_depends_on_its_subflow() -> None:
    flow = START.step("ship", depends_on="pay").step("mend", depends_on=["before", "pay"])
    assert validate(flow) == ()


def test_a_failure_step_may_be_a_subflow_with_a_failure_step_of_its_own() -> None:
    flow = START.subflow("mend", "repair", depends_on="pay", on_failure="note")
    assert validate(flow.step("note", depends_on="mend")) == ()


@pytest.mark.parametrize(
    ("flow", "code", "told"),
    [
        (START, "unknown", "which is no step of this flow; add it, depending on this step."),
        (
            START.step("mend", depends_on="before"),
            "not-behind",
            'which does not depend on it; add "pay" to its depends_on.',
        ),
        (START.map("mend", depends_on="pay"), "is-a-map", "which is a map step; let a single"),
        (
            START.join("mend", wait="any", depends_on=["before", "pay"]),
            "is-a-join",
            "which is a join; let a single or a subflow step do it.",
        ),
        (
            Flow("f").subflow("pay", "payment", on_failure="pay"),
            "is-itself",
            "name another step, which depends on it.",
        ),
        (
            Flow("f")
            .step("mend")
            .step("x", depends_on="mend")
            .subflow("pay", "payment", depends_on="x", on_failure="mend"),
            "before",
            "but stands behind that step itself; name a step that comes after it.",
        ),
    ],
)
def test_any_other_step_is_told(flow: Flow, code: str, told: str) -> None:
    [(found, path, message)] = findings(failures_lead_to_a_step, flow)
    assert (found, path) == (f"failure-step-{code}", "steps.pay.on_failure")
    assert told in message


def test_a_failure_step_has_one_subflow() -> None:
    flow = START.subflow("also", "payment", on_failure="mend").step(
        "mend", depends_on=["pay", "also"]
    )
    assert findings(failures_lead_to_a_step, flow) == [
        (
            "failure-step-of-many",
            "steps.also.on_failure",
            (
                'Step "mend" goes on when "pay" fails and when "also" does; give each a failure'
                " step of its own."
            ),
        )
    ]


def test_a_subflow_and_its_failure_step_that_wait_for_each_other_are_a_cycle() -> None:
    flow = (
        Flow("f")
        .subflow("pay", "payment", depends_on="mend", on_failure="mend")
        .step("mend", depends_on="pay")
    )
    codes = {problem.code for problem in validate(flow)}
    assert codes == {"dependency-cycle", "failure-step-before"}

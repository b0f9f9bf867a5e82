import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.targets import routes_lead_to_steps
from dagster_pgflow.validation.validate import validate
from tests.unit.validation.problems import places, problems_found

ROUTED = (
    Flow("f")
    .step("assess")
    .branch("route", rules=[("output.ok", "pay")], default_path="refuse", depends_on="assess")
)


def test_targets_depend_on_the_step_that_leads_to_them() -> None:
    flow = ROUTED.step("pay", depends_on=["assess", "route"]).step("refuse", depends_on="route")
    flow = flow.loop(
        "again",
        back_to="pay",
        condition="output.again",
        max_iterations=3,
        break_path="ship",
        timeout_path=["ship", "warn"],
        depends_on="pay",
    )
    flow = flow.map("ship", depends_on="again").subflow("warn", "other", depends_on="again")
    assert validate(flow) == ()


def test_every_target_is_told_with_its_place() -> None:
    flow = (
        ROUTED.step("pay", depends_on="assess")
        .branch("other", rules=[("true", ["other", "route"])], depends_on="route")
        .loop(
            "again",
            back_to="again",
            condition="true",
            max_iterations=2,
            break_path="mend",
            timeout_path="nowhere",
            depends_on="other",
        )
        .subflow("try", "g", depends_on="other", on_failure="mend")
        .step("mend", depends_on=["try", "again"])
    )
    assert problems_found(routes_lead_to_steps, flow) == [
        (
            "target-not-behind",
            "steps.route.rules[0].then",
            (
                'Branch "route" leads to "pay", which does not depend on it; add "route" to its'
                " depends_on."
            ),
        ),
        (
            "target-unknown",
            "steps.route.default_path",
            (
                'Branch "route" leads to "refuse", which is not a step of this flow; add it,'
                " depending on this step."
            ),
        ),
        (
            "target-is-itself",
            "steps.other.rules[0].then",
            'Branch "other" leads to "other", itself; name a step that depends on it.',
        ),
        (
            "target-before",
            "steps.other.rules[0].then",
            (
                'Branch "other" leads to "route", and stands behind that step itself; name one that'
                " comes after it."
            ),
        ),
        (
            "target-is-failure-step",
            "steps.again.break_path",
            (
                'Loop "again" leads to "mend", which is there for the failure of "try"; let it'
                " lead to a step of its own."
            ),
        ),
        (
            "target-unknown",
            "steps.again.timeout_path",
            (
                'Loop "again" leads to "nowhere", which is not a step of this flow; add it,'
                " depending on this step."
            ),
        ),
    ]


@pytest.mark.parametrize("slugs", [["pay", "pay"], ["pay", "refuse"]])
def test_a_target_may_be_named_often(slugs: list[str]) -> None:
    flow = Flow("f").branch("route", rules=[("true", slugs), ("false", slugs)], default_path=slugs)
    flow = flow.step("pay", depends_on="route").step("refuse", depends_on="route")
    assert places(routes_lead_to_steps, flow) == []


def test_a_step_and_its_target_that_wait_for_each_other_are_a_cycle() -> None:
    flow = Flow("f").branch("route", rules=[("true", "pay")], depends_on="pay")
    codes = [problem.code for problem in validate(flow.step("pay", depends_on="route"))]
    assert codes == ["dependency-cycle", "target-before"]

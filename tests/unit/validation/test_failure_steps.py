import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.failure_steps import failures_lead_to_a_step
from dagster_pgflow.validation.validate import validate
from tests.unit.validation.problems import problems_found

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
        (START, "unknown", "which is not a step of this flow; add it, depending on this step."),
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
    [(found, path, message)] = problems_found(failures_lead_to_a_step, flow)
    assert (found, path) == (f"failure-step-{code}", "steps.pay.on_failure")
    assert told in message


def test_several_steps_of_every_kind_go_on_with_one() -> None:
    flow = (
        START.step("a", on_failure="mend", on_timeout="mend")
        .map("m", depends_on="a", on_failure="mend")
        .branch("b", rules=[("true", "c")], depends_on="m", on_timeout="mend")
        .step("c", depends_on="b")
        .loop("l", back_to="c", condition="false", max_iterations=2, depends_on="c")
        .join("j", depends_on=["l", "pay"], members="l", on_failure="mend")
        .step("mend", depends_on=["pay", "a", "m", "b", "j"])
    )
    assert validate(flow) == ()


def test_each_field_is_told_apart() -> None:
    flow = Flow("f").step("a", on_failure="x", on_timeout="a")
    assert [(code, path) for code, path, _ in problems_found(failures_lead_to_a_step, flow)] == [
        ("failure-step-unknown", "steps.a.on_failure"),
        ("failure-step-is-itself", "steps.a.on_timeout"),
    ]


TWO = Flow("f").step("a").step("b", on_failure="mend")


@pytest.mark.parametrize(
    ("flow", "code", "told"),
    [
        (
            TWO.join("j", depends_on=["a", "b"], on_failure="undo"),
            "member-with-failure-step",
            'catches the failure of "b", which goes on with "mend" itself',
        ),
        (
            TWO.join("i", depends_on=["a", "b"], members="a", on_failure="undo").join(
                "j", depends_on=["a", "b"], members=["a"], on_failure="undo"
            ),
            "member-of-many",
            'catches the failure of "a", and so does join "i"',
        ),
        (
            TWO.join("j", depends_on=["a", "b"], members="x", on_failure="undo"),
            "member-is-no-dependency",
            'names "x" among its members, which it does not depend on',
        ),
        (
            TWO.join("j", depends_on=["a", "b"], members="a"),
            "members-without-failure-step",
            "names members and no on_failure, so that it catches no failure",
        ),
    ],
)
def test_a_join_catches_what_nobody_else_does(flow: Flow, code: str, told: str) -> None:
    flow = flow.step("mend", depends_on="b").step("undo", depends_on=["j", "i"])
    [problem] = [problem for problem in validate(flow) if "member" in problem.code]
    assert problem.code == code
    assert problem.path.startswith("steps.j.")
    assert told in problem.message


@pytest.mark.parametrize("catches", [True, False])
def test_a_map_whose_failure_is_caught_hands_on_no_single_elements(catches: bool) -> None:
    flow = Flow("f").step("a").map("m", on_failure=None if catches else "mend")
    flow = flow.map("n", depends_on="m", pipelined=True).step("mend", depends_on=["m", "j"])
    if catches:
        flow = flow.join("j", depends_on=["a", "m"], on_failure="mend")
    [problem] = [problem for problem in validate(flow) if "pipelined" in problem.code]
    assert (problem.code, problem.path) == ("pipelined-behind-a-failure", "steps.n.pipelined")
    assert 'pipelined behind "m", after whose failure the run goes on' in problem.message


def test_a_subflow_and_its_failure_step_that_wait_for_each_other_are_a_cycle() -> None:
    flow = (
        Flow("f")
        .subflow("pay", "payment", depends_on="mend", on_failure="mend")
        .step("mend", depends_on="pay")
    )
    codes = {problem.code for problem in validate(flow)}
    assert codes == {"dependency-cycle", "failure-step-before"}

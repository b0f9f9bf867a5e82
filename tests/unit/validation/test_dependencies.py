from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.dependencies import dependencies_exist
from tests.unit.validation.problems import problems_found


def test_dependencies_on_other_steps_are_no_problem_in_any_order() -> None:
    flow = Flow("f").step("b", depends_on=["a", "a"]).step("a")
    assert problems_found(dependencies_exist, flow) == []


def test_each_unknown_dependency_is_named_once() -> None:
    flow = Flow("f").step("a", depends_on=["x", "y", "x"])
    path = "steps.a.depends_on"
    assert problems_found(dependencies_exist, flow) == [
        ("unknown-dependency", path, 'Step "a" depends on "x", which is not a step of this flow.'),
        ("unknown-dependency", path, 'Step "a" depends on "y", which is not a step of this flow.'),
    ]


def test_a_step_that_depends_on_itself_is_a_problem() -> None:
    flow = Flow("f").step("a", depends_on="a")
    assert problems_found(dependencies_exist, flow) == [
        ("self-dependency", "steps.a.depends_on", 'Step "a" depends on itself.')
    ]

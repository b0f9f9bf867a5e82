from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.cycles import dependencies_form_no_cycle
from tests.unit.validation.problems import places, problems_found


def test_a_diamond_is_no_cycle() -> None:
    flow = (
        Flow("f")
        .step("a")
        .step("b", depends_on="a")
        .step("c", depends_on="a")
        .step("d", depends_on=["b", "c"])
    )
    assert problems_found(dependencies_form_no_cycle, flow) == []


def test_a_cycle_is_printed_step_by_step() -> None:
    flow = Flow("f").step("a", depends_on="c").step("b", depends_on="a").step("c", depends_on="b")
    [(code, path, message)] = problems_found(dependencies_form_no_cycle, flow)
    assert (code, path) == ("dependency-cycle", "steps")
    shown = message.removeprefix("Steps wait for each other: ").removesuffix(
        "; remove one of these."
    )
    around = shown.split(" -> ")
    assert around[0] == around[-1]
    assert sorted(around[1:]) == ["a", "b", "c"]


def test_a_step_that_depends_on_itself_is_left_to_the_other_rule() -> None:
    assert places(dependencies_form_no_cycle, Flow("f").step("a", depends_on="a")) == []


def test_an_unknown_dependency_forms_no_cycle() -> None:
    assert places(dependencies_form_no_cycle, Flow("f").step("a", depends_on="ghost")) == []

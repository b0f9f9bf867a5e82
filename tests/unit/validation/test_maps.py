import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.kinds import steps_keep_their_rules
from tests.unit.validation.problems import problems_found


@pytest.mark.parametrize("deps", [[], ["a"], ["a", "a"]])
def test_a_map_has_no_dependency_or_one(deps: list[str]) -> None:
    flow = Flow("f").step("a").map("m", depends_on=deps, batch_size=1)
    assert problems_found(steps_keep_their_rules, flow) == []


def test_a_map_of_two_sources_is_a_problem_that_names_them() -> None:
    flow = Flow("f").step("a").step("b").map("m", depends_on=["a", "b", "a"])
    assert problems_found(steps_keep_their_rules, flow) == [
        (
            "map-with-many-dependencies",
            "steps.m.depends_on",
            'Map step "m" can have at most one dependency, but 2 were provided: a, b.',
        )
    ]


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_holds_at_least_one_element(size: int) -> None:
    assert problems_found(steps_keep_their_rules, Flow("f").map("m", batch_size=size)) == [
        (
            "batch-size-out-of-range",
            "steps.m.batch_size",
            f"batch_size is {size}; it must be from 1 to 2147483647.",
        )
    ]


def test_other_steps_may_have_many_dependencies() -> None:
    flow = Flow("f").step("a").step("b").step("c", depends_on=["a", "b"])
    flow = flow.subflow("s", "other", depends_on=["a", "b"])
    assert problems_found(steps_keep_their_rules, flow) == []

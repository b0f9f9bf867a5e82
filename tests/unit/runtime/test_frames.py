"""Where a running step stands, and what reaches it there."""

from typing import Any

import pytest

from dagster_pgflow.errors import InvalidInput
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug
from dagster_pgflow.model.lowered import LoweredFlows
from dagster_pgflow.runtime.frames import (
    Frame,
    check,
    flow_input,
    frame_at,
    outermost,
    refuse_bad_input,
)
from dagster_pgflow.runtime.values import Batch, Skipped
from dagster_pgflow.step_errors import ConditionNotMet
from dagster_pgflow.step_path import StepPath

NUMBER = {"type": "object", "required": ["n"]}
LEAF = Flow("leaf", input_schema=NUMBER).step("x")
MIDDLE = Flow("middle").subflow("inner", "leaf", if_={"n": 1})
TOP = (
    Flow("top")
    .step("a")
    .map("m", depends_on="a")
    .subflow("class", "middle")
    .subflow("after_a", "leaf", depends_on="a", if_={"a": {"n": 1}})
    .subflow("after_both", "leaf", depends_on=["a", "class"])
    .subflow("after_map", "leaf", depends_on="m")
    .subflow("after_map_and_a", "leaf", depends_on=["m", "a"])
    .subflow("must", "middle", if_={"n": 1}, when_unmet="fail")
)
FLOWS = {"leaf": LEAF, "middle": MIDDLE, "top": TOP}


def frame(*nodes: str) -> Frame:
    return frame_at(Frame(TOP), nodes, FLOWS)


def reaches(arrived: Any, *nodes: str) -> Any:
    return flow_input(frame(*nodes), arrived, FLOWS)


def test_the_frame_of_a_job_is_its_flow() -> None:
    assert frame() == Frame(TOP)
    assert frame().path_of(TOP.steps[0]) == StepPath("a")


def test_the_frame_of_a_nested_op_is_found_by_the_names_of_the_nodes_around_it() -> None:
    found = frame("class_", "inner")
    assert (found.flow, found.path) == (LEAF, StepPath("class.inner"))
    assert found.around is not None
    assert found.around[0].flow == MIDDLE
    assert found.path_of(LEAF.steps[0]) == StepPath("class.inner.x")


def test_the_flow_input_of_a_root_subflow_is_that_of_the_flow_around() -> None:
    assert reaches({"n": 1}, "class_", "inner") == {"n": 1}


@pytest.mark.parametrize(
    "value", [None, 0, [], {"n": 2}, Skipped("condition_unmet", StepPath("a")).to_wire()]
)
def test_the_input_of_a_run_reaches_its_steps_as_it_is(value: Any) -> None:
    assert reaches(value) == value


def test_the_flow_input_of_a_subflow_is_what_its_step_receives() -> None:
    assert reaches({"n": 1}, "after_a") == {"a": {"n": 1}}
    assert reaches([5, 6], "after_both") == {"a": 5, "class": {"inner": {"x": 6}}}
    batches = [Batch(1, (2,)).to_wire(), Batch(0, (1,)).to_wire()]
    assert reaches(batches, "after_map") == {"m": [1, 2]}


def test_what_a_helper_put_together_is_taken_as_it_is() -> None:
    assert reaches({"m": [1], "a": 2}, "after_map_and_a") == {"m": [1], "a": 2}


def test_an_unmet_condition_skips_the_subflow_and_all_inside() -> None:
    skipped = reaches({"n": 2}, "class_", "inner")
    assert skipped == Skipped("condition_unmet", StepPath("class.inner"))
    assert check(frame("class_", "inner"), LEAF.steps[0], skipped) == skipped


def test_an_unmet_condition_that_fails_says_of_which_step() -> None:
    with pytest.raises(ConditionNotMet) as caught:
        reaches({"n": 2}, "must", "inner")
    assert str(caught.value) == (
        'Step "must" may not run: condition not met, its input does not contain {"n": 1}'
        " (input.n is 2)."
    )


def test_a_step_behind_a_cascade_cascades_on() -> None:
    arrived = Skipped("condition_unmet", StepPath("a"), cascade=True)
    step = by_slug(TOP)["after_a"]
    assert check(frame(), step, arrived) == Skipped(
        "dependency_skipped", StepPath("after_a"), cascade=True
    )


def test_a_bad_input_is_refused_where_the_flow_begins() -> None:
    with pytest.raises(InvalidInput) as caught:
        refuse_bad_input(frame("after_a"), {"n": 1}, FLOWS)
    assert str(caught.value) == (
        'The input of flow "leaf" in step "after_a" does not fit its input schema:'
        " $: 'n' is a required property"
    )


def test_an_input_is_checked_against_the_flow_around_as_well() -> None:
    strict = TOP.model_copy(update={"input_schema": {"required": ["z"]}})
    with pytest.raises(InvalidInput, match=r'input of flow "top".*\'z\' is a required'):
        refuse_bad_input(frame_at(Frame(strict), ["class_", "inner"], FLOWS), {"n": 2}, FLOWS)


def test_behind_a_step_the_input_of_the_flow_around_is_checked_no_more() -> None:
    strict = TOP.model_copy(update={"input_schema": {"required": ["z"]}})
    loose = FLOWS | {"leaf": Flow("leaf").step("x")}
    refuse_bad_input(frame_at(Frame(strict), ["after_a"], loose), {"n": 1}, loose)


def test_a_skipped_flow_has_no_input_to_refuse() -> None:
    refuse_bad_input(frame("class_", "inner"), {}, FLOWS)


def test_an_iteration_that_is_a_job_of_its_own_knows_what_lies_around_it() -> None:
    flow = (
        Flow("f")
        .step("before")
        .step("a", depends_on="before")
        .step("b", depends_on=["a", "before"])
        .loop("inner", back_to="b", condition="true", max_iterations=2, depends_on="b")
        .loop("outer", back_to="a", condition="true", max_iterations=2, depends_on="inner")
    )
    flows = LoweredFlows({"f": flow})
    found = outermost(flows["f.inner"], StepPath("sub[3].outer[2].inner[1]"), flows)
    assert found.iteration == 1
    assert found.path_to("b") == StepPath("sub[3].outer[2].inner[1].b")
    assert found.path_to("a") == StepPath("sub[3].outer[2].a")
    assert found.path_to("before") == StepPath("sub[3].before")
    assert outermost(flows["f"], StepPath("sub[3]"), flows) == Frame(flows["f"], StepPath("sub[3]"))

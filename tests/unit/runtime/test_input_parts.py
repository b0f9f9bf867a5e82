"""Where the input of a step comes from, and how it is put together."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug
from dagster_pgflow.model.steps import SubflowStep
from dagster_pgflow.names import dagster_name
from dagster_pgflow.runtime.input_parts import (
    InputPart,
    input_names,
    input_parts_of,
    needs_gathering,
    output_paths,
    port_names,
    unpack,
)
from dagster_pgflow.runtime.values import Batch, Skipped
from dagster_pgflow.step_path import StepPath

CHILD = Flow("child").step("a").map("m").step("b", depends_on="a")
NEST = Flow("nest").subflow("inner", "child").step("c")
FLOWS = {"child": CHILD, "nest": NEST}
TOP = Flow("top").step("x").map("y").subflow("s", "nest").step("z", depends_on=["x", "y", "s", "x"])


def skip(*path: str, cascade: bool = False) -> Any:
    return Skipped("condition_unmet", StepPath(".".join(path)), cascade=cascade).to_wire()


def batch(*values: Any, start: int = 0) -> Any:
    return Batch(start, values).to_wire()


def test_a_step_receives_its_dependencies_and_the_final_steps_of_its_subflows() -> None:
    steps = by_slug(TOP)
    assert input_parts_of(steps, steps["z"], FLOWS) == (
        InputPart("x"),
        InputPart("y", collected=True),
        InputPart("s", ("inner", "m")),
        InputPart("s", ("inner", "b")),
        InputPart("s", ("c",)),
    )
    assert input_parts_of(steps, steps["x"], FLOWS) == ()


def test_only_a_subflow_has_output_paths_of_several_steps() -> None:
    assert output_paths(by_slug(TOP)["x"], FLOWS) == [()]
    assert output_paths(by_slug(TOP)["s"], FLOWS) == [("inner", "m"), ("inner", "b"), ("c",)]


def test_the_names_of_inputs_are_readable() -> None:
    parts = [InputPart("x"), InputPart("s", ("inner", "b")), InputPart("class")]
    assert list(input_names(parts).values()) == ["x", "s__inner__b", "class_"]


slugs = st.text("ab_2", min_size=1, max_size=6).filter(lambda slug: not slug[0].isdigit())


@given(st.lists(st.lists(slugs, min_size=1, max_size=3).map(tuple), unique=True))
def test_the_names_of_ports_are_distinct(ports: list[tuple[str, ...]]) -> None:
    names = port_names(ports)
    assert list(names) == ports
    assert len(set(names.values())) == len(ports)


def test_a_port_keeps_its_plain_name_where_no_other_has_it() -> None:
    assert port_names([("a",), ("a", "b"), ("config",)]) == {
        ("a",): "a",
        ("a", "b"): "a__b",
        ("config",): dagster_name("config"),
    }
    assert port_names([("a__b__2",), ("a", "b"), ("a__b",)]) == {
        ("a__b__2",): "a__b__2",
        ("a", "b"): "a__b",
        ("a__b",): "a__b__3",
    }


A, B = InputPart("a"), InputPart("b")
M, N = InputPart("m", collected=True), InputPart("n", collected=True)
PLAIN = Flow("plain").step("x").subflow("s", "plainer", depends_on="x")
PLAINER = Flow("plainer").step("x")


@pytest.mark.parametrize(
    ("parts", "inside", "needed"),
    [
        ([], "nest", False),
        ([A], "nest", False),
        ([A, B], "nest", False),
        ([M], "plain", False),
        ([M], "child", True),
        ([M], "nest", True),
        ([M, B], "plain", True),
        ([M, N], "plain", True),
    ],
)
def test_only_a_map_among_others_or_before_maps_inside_needs_a_helper(
    parts: list[InputPart], inside: str, needed: bool
) -> None:
    flows = FLOWS | {"plain": PLAIN, "plainer": PLAINER}
    assert needs_gathering(Flow("f"), SubflowStep(slug="s", flow=inside), parts, flows) is needed


def test_a_condition_in_cel_is_answered_by_a_helper() -> None:
    step = SubflowStep(slug="s", flow="child", run_if="input.n > 1")
    assert needs_gathering(Flow("f"), step, [], FLOWS)


def test_one_part_arrives_bare_and_several_as_a_list() -> None:
    assert unpack([1], [InputPart("a")]) == {InputPart("a"): [1]}
    assert unpack([1, 2], [InputPart("a"), InputPart("b")]) == {
        InputPart("a"): 1,
        InputPart("b"): 2,
    }

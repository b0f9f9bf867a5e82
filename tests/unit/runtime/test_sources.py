"""Where the input of a step comes from, and how it is put together."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug
from dagster_pgflow.model.step import SubflowStep
from dagster_pgflow.names import dagster_name
from dagster_pgflow.runtime.sources import (
    Source,
    assemble,
    input_names,
    needs_gathering,
    output_paths,
    port_names,
    sources_of,
    unpack,
)
from dagster_pgflow.runtime.values import Batch, Skipped

CHILD = Flow("child").step("a").map("m").step("b", depends_on="a")
NEST = Flow("nest").subflow("inner", "child").step("c")
FLOWS = {"child": CHILD, "nest": NEST}
TOP = Flow("top").step("x").map("y").subflow("s", "nest").step("z", depends_on=["x", "y", "s", "x"])


def skip(*path: str, cascade: bool = False) -> Any:
    return Skipped("condition_unmet", path, cascade=cascade).to_wire()


def batch(*values: Any, start: int = 0) -> Any:
    return Batch(start, values).to_wire()


def test_a_step_receives_its_dependencies_and_the_final_steps_of_its_subflows() -> None:
    steps = by_slug(TOP)
    assert sources_of(steps, steps["z"], FLOWS) == (
        Source("x"),
        Source("y", collected=True),
        Source("s", ("inner", "m")),
        Source("s", ("inner", "b")),
        Source("s", ("c",)),
    )
    assert sources_of(steps, steps["x"], FLOWS) == ()


def test_only_a_subflow_has_output_paths_of_several_steps() -> None:
    assert output_paths(by_slug(TOP)["x"], FLOWS) == [()]
    assert output_paths(by_slug(TOP)["s"], FLOWS) == [("inner", "m"), ("inner", "b"), ("c",)]


def test_the_names_of_inputs_are_readable() -> None:
    sources = [Source("x"), Source("s", ("inner", "b")), Source("class")]
    assert list(input_names(sources).values()) == ["x", "s__inner__b", "class_"]


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


A, B = Source("a"), Source("b")
M, N = Source("m", collected=True), Source("n", collected=True)
PLAIN = Flow("plain").step("x").subflow("s", "plainer", depends_on="x")
PLAINER = Flow("plainer").step("x")


@pytest.mark.parametrize(
    ("sources", "inside", "needed"),
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
    sources: list[Source], inside: str, needed: bool
) -> None:
    flows = FLOWS | {"plain": PLAIN, "plainer": PLAINER}
    assert needs_gathering(SubflowStep(slug="s", flow=inside), sources, flows) is needed


def test_a_condition_in_cel_is_answered_by_a_helper() -> None:
    step = SubflowStep(slug="s", flow="child", run_if="input.n > 1")
    assert needs_gathering(step, [], FLOWS)


def test_one_source_arrives_bare_and_several_as_a_list() -> None:
    assert unpack([1], [Source("a")]) == {Source("a"): [1]}
    assert unpack([1, 2], [Source("a"), Source("b")]) == {Source("a"): 1, Source("b"): 2}


def put_together(values: dict[Source, Any], frame: tuple[str, ...] = ()) -> Any:
    return assemble(frame, tuple(values), values)


def test_outputs_are_keyed_by_dependency() -> None:
    assert put_together({Source("a"): 0, Source("b"): None}) == {"a": 0, "b": None}


def test_the_batches_of_a_map_are_one_list() -> None:
    arrived = [batch(3, start=2), batch(1, None)]
    assert put_together({Source("m", collected=True): arrived}) == {"m": [1, None, 3]}


def test_the_output_of_a_subflow_is_keyed_by_its_final_steps() -> None:
    values: dict[Source, Any] = {
        Source("s", ("inner", "m")): [1, 2],
        Source("s", ("inner", "b")): 3,
        Source("s", ("c",)): None,
    }
    assert put_together(values) == {"s": {"inner": {"m": [1, 2], "b": 3}, "c": None}}


def test_a_skipped_dependency_has_no_key() -> None:
    assert put_together({Source("a"): skip("a"), Source("b"): 1}) == {"b": 1}
    assert put_together({Source("a"): skip("a")}) == {}


def test_a_dependency_that_cascades_skips_the_step() -> None:
    found = put_together({Source("b"): 1, Source("a"): skip("a", cascade=True)})
    assert found == Skipped("condition_unmet", ("a",), cascade=True)


def test_a_skipped_final_step_of_a_subflow_has_no_key_there() -> None:
    values = {Source("s", ("a",)): skip("s", "a"), Source("s", ("b",)): 1}
    assert put_together(values) == {"s": {"b": 1}}


def test_a_subflow_whose_final_steps_are_all_skipped_is_null() -> None:
    values = {Source("s", ("a",)): skip("s", "a"), Source("s", ("b",)): skip("s", "b")}
    assert put_together(values) == {"s": None}


def test_a_cascade_inside_a_subflow_ends_at_its_border() -> None:
    values = {Source("s", ("a",)): skip("s", "a", cascade=True), Source("s", ("b",)): 1}
    assert put_together(values) == {"s": {"b": 1}}


def test_a_skipped_subflow_has_no_key() -> None:
    values = {Source("s", ("a",)): skip("s"), Source("s", ("b",)): skip("s"), Source("x"): 1}
    assert put_together(values) == {"x": 1}


def test_a_skipped_inner_subflow_has_no_key_in_the_outer_one() -> None:
    values = {Source("s", ("inner", "a")): skip("s", "inner"), Source("s", ("c",)): 1}
    assert put_together(values) == {"s": {"c": 1}}


def test_a_subflow_that_cascades_skips_the_step() -> None:
    found = put_together({Source("s", ("a",)): skip("s", cascade=True)})
    assert found == Skipped("condition_unmet", ("s",), cascade=True)


@pytest.mark.parametrize("cascade", [True, False])
def test_inside_a_skipped_subflow_every_step_is_skipped(cascade: bool) -> None:
    found = put_together({Source("a"): skip("s", cascade=cascade)}, frame=("s", "inner"))
    assert found == Skipped("condition_unmet", ("s",), cascade=cascade)

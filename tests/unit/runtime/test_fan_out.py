"""How a map step gets its batches."""

from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import MapStep
from dagster_pgflow.runtime.fan_out import batches_of, taken_over
from dagster_pgflow.runtime.frames import Frame
from dagster_pgflow.runtime.values import Batch, Skipped
from dagster_pgflow.step_path import StepPath


def batches(given: Any, **settings: Any) -> list[Any]:
    flow = Flow("f").step("a").map("m", **settings)
    step = flow.steps[1]
    assert isinstance(step, MapStep)
    return batches_of(Frame(flow, StepPath("s")), step, given)


def test_a_root_map_maps_over_the_flow_input() -> None:
    assert batches([1, None]) == [Batch(0, (1,), 2), Batch(1, (None,), 2)]


def test_a_map_maps_over_the_output_of_its_dependency() -> None:
    assert batches({"a": [1, 2, 3]}, depends_on="a", batch_size=2) == [
        Batch(0, (1, 2), 3),
        Batch(2, (3,), 3),
    ]


def test_a_skipped_dependency_counts_as_an_empty_list() -> None:
    assert batches({}, depends_on="a") == [Batch(0, (), 0)]


def test_an_empty_list_is_one_empty_batch() -> None:
    assert batches([]) == [Batch(0, (), 0)]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"b": 1}, "an object"),
        ("ab", "text"),
        (0, "a number"),
        (1.5, "a number"),
        (False, "a boolean"),
        (None, "null"),
    ],
)
def test_what_is_no_list_is_a_type_violation_that_names_both_ends(value: Any, kind: str) -> None:
    [found] = batches({"a": value}, depends_on="a")
    assert found.error == (
        f'Map step "s.m" needs a list, but step "a" returned {kind}; return a list from there.'
    )
    [found] = batches(value)
    assert found.error == (
        f'Map step "s.m" needs a list, but the input of flow "f" is {kind}; return a list from'
        " there."
    )


def test_a_skip_is_the_only_batch() -> None:
    cascade = Skipped("condition_unmet", StepPath("s.a"), cascade=True)
    assert batches(cascade, depends_on="a") == [
        Skipped("dependency_skipped", StepPath("s.m"), cascade=True)
    ]


def test_conditions_are_looked_at_before_the_list() -> None:
    settings: dict[str, Any] = {"depends_on": "a", "if_": {"a": [9]}}
    assert batches({"a": [9, 8]}, **settings) == [Batch(0, (9,), 2), Batch(1, (8,), 2)]
    assert batches({"a": 5}, **settings) == [Skipped("condition_unmet", StepPath("s.m"))]
    [found] = batches({"a": [1]}, **settings, when_unmet="fail")
    assert found.error == (
        'Step "s.m" may not run: condition not met, its input does not contain {"a": [9]}'
        " (input.a is [1])."
    )


def piped(arrived: Batch | Skipped) -> Batch | Skipped:
    flow = Flow("f").map("a").map("m", depends_on="a", pipelined=True)
    step = flow.steps[1]
    assert isinstance(step, MapStep)
    return taken_over(Frame(flow, StepPath("s")), step, arrived.to_wire())


def test_a_pipelined_map_takes_the_batches_of_the_map_before() -> None:
    assert piped(Batch(4, (1, None), 6)) == Batch(4, (1, None), 6)


def test_a_pipelined_map_has_nothing_to_do_when_the_map_before_is_skipped() -> None:
    assert piped(Skipped("condition_unmet", StepPath("s.a"))) == Batch(0, (), 0)


def test_a_cascade_reaches_a_pipelined_map() -> None:
    assert piped(Skipped("condition_unmet", StepPath("s.a"), cascade=True)) == Skipped(
        "dependency_skipped", StepPath("s.m"), cascade=True
    )


def test_a_pipelined_map_in_a_skipped_subflow_hands_the_news_on() -> None:
    around = Skipped("condition_unmet", StepPath("s"))
    assert piped(around) == around

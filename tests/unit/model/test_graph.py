"""The shape of a flow."""

import random
import string
from graphlib import CycleError, TopologicalSorter

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import (
    by_slug,
    contains_maps,
    dependents,
    deps_first,
    find_cycle,
    in_order,
    known_deps,
    leaves,
    pipeline_behind,
    pipeline_head,
)
from dagster_pgflow.model.steps import MapStep, Step

DIAMOND = (
    Flow("f")
    .step("d", depends_on=["b", "c"])
    .step("b", depends_on="a")
    .step("c", depends_on=["a", "a", "ghost"])
    .step("a")
)


def slugs(steps: tuple[Step, ...]) -> list[str]:
    return [step.slug for step in steps]


def test_steps_stand_behind_their_dependencies() -> None:
    order = slugs(in_order(DIAMOND))
    assert sorted(order) == ["a", "b", "c", "d"]
    assert order[0] == "a"
    assert order[-1] == "d"


def test_steps_in_a_circle_have_no_order() -> None:
    with pytest.raises(CycleError):
        in_order(Flow("f").step("a", depends_on="b").step("b", depends_on="a"))


def test_dependencies_count_once_and_only_when_they_exist() -> None:
    assert known_deps(DIAMOND) == {"d": ("b", "c"), "b": ("a",), "c": ("a",), "a": ()}


def test_leaves_are_the_steps_that_nothing_needs_in_the_order_of_the_definition() -> None:
    assert slugs(leaves(DIAMOND)) == ["d"]
    assert slugs(leaves(Flow("f").step("b").step("a").step("c", depends_on="a"))) == ["b", "c"]


def test_dependents_are_listed_once() -> None:
    found = {slug: slugs(steps) for slug, steps in dependents(DIAMOND).items()}
    assert found == {"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}


def test_a_cycle_is_shown_from_its_first_node_back_to_it() -> None:
    assert find_cycle({"a": ["b"], "b": ["c"], "c": ["a"], "d": []}) in {
        ("a", "b", "c", "a"), ("b", "c", "a", "b"), ("c", "a", "b", "c"),
        ("a", "c", "b", "a"), ("c", "b", "a", "c"), ("b", "a", "c", "b"),
    }  # fmt: skip
    assert find_cycle({"a": ["a"]}) == ("a", "a")
    assert find_cycle({"a": ["b"], "b": []}) == ()


def test_a_flow_contains_the_maps_of_the_flows_in_it() -> None:
    flows = {
        "mapping": Flow("mapping").step("x").map("m", depends_on="x"),
        "plain": Flow("plain").step("x"),
        "around": Flow("around").subflow("p", "plain").subflow("m", "mapping", depends_on="p"),
    }
    found = {slug: contains_maps(flow, flows) for slug, flow in flows.items()}
    assert found == {"mapping": True, "plain": False, "around": True}


PIPELINES = (
    Flow("f")
    .step("list")
    .map("a", depends_on="list")
    .map("b", depends_on="a", pipelined=True)
    .map("c", depends_on="b", pipelined=True)
    .map("d", depends_on="b", pipelined=True)
    .map("waits", depends_on="a")
    .map("e", depends_on="waits", pipelined=True)
    .step("end", depends_on=["c", "d"])
)


def map_steps(flow: Flow) -> dict[str, MapStep]:
    return {step.slug: step for step in flow.steps if isinstance(step, MapStep)}


def test_the_head_of_a_pipeline_is_its_first_map_step() -> None:
    maps = map_steps(PIPELINES)
    heads = {slug: pipeline_head(by_slug(PIPELINES), step).slug for slug, step in maps.items()}
    assert heads == {"a": "a", "b": "a", "c": "a", "d": "a", "waits": "waits", "e": "waits"}


def test_behind_a_map_step_are_the_pipelined_ones_that_take_over_its_batches() -> None:
    maps = map_steps(PIPELINES)
    behind = {
        slug: [step.slug for step in pipeline_behind(PIPELINES, step)]
        for slug, step in maps.items()
    }
    assert behind == {
        "a": ["b", "c", "d"], "b": ["c", "d"], "c": [], "d": [], "waits": ["e"], "e": []
    }  # fmt: skip


def test_a_long_pipeline_has_one_head() -> None:
    later = [
        MapStep(slug=f"m{number}", depends_on=(f"m{number - 1}",), pipelined=True)
        for number in range(1, 2000)
    ]
    head = MapStep(slug="m0")
    flow = Flow("f").model_copy(update={"steps": (head, *later)})
    assert pipeline_head(by_slug(flow), later[-1]) == head
    assert list(pipeline_behind(flow, head)) == later


def test_a_hundred_layers_of_flows_are_searched_once_each() -> None:
    layers = [
        Flow(f"layer{n}").subflow("a", f"layer{n + 1}").subflow("b", f"layer{n + 1}")
        for n in range(100)
    ]
    flows = {flow.slug: flow for flow in [*layers, Flow("layer100").step("x")]}
    assert not contains_maps(layers[0], flows)


def test_the_order_of_steps_is_that_of_graphlib() -> None:
    chance = random.Random(7)
    for size in range(40):
        names = chance.sample(string.ascii_lowercase, size % 12 + 1)
        deps = {
            name: chance.choices(names[:index], k=chance.randrange(4)) if index else []
            for index, name in enumerate(names)
        }
        shuffled = dict(chance.sample(sorted(deps.items()), len(deps)))
        assert deps_first(shuffled) == [*TopologicalSorter(shuffled).static_order()]

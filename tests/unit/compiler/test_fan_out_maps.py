import pytest

from dagster_pgflow.compiler.passes.fan_out_maps import fan_out_maps
from dagster_pgflow.model.flow import Flow
from tests.unit.compiler.drawing import before_and_after

CHILD = Flow("child").step("x").step("y")


def test_a_single_step_sends_the_batches_of_its_maps_itself() -> None:
    flow = Flow("f").step("a").map("m", depends_on="a").map("n", depends_on="a")
    assert before_and_after(fan_out_maps, flow) == (
        ["a: flow_input=$", "m: a=a.result", "n: a=a.result"],
        ["a: flow_input=$ -> m, n", "m: batch=a.for_m", "n: batch=a.for_n"],
    )


def test_a_root_map_gets_a_helper() -> None:
    assert before_and_after(fan_out_maps, Flow("f").map("m")) == (
        ["m: flow_input=$"],
        ["m__fan_out fan_out: flow_input=$ -> m", "m: batch=m__fan_out.for_m"],
    )


def test_a_map_over_a_map_gets_a_helper_that_collects_the_first() -> None:
    _, after = before_and_after(
        fan_out_maps, Flow("f").step("a").map("m", depends_on="a").map("n", depends_on="m")
    )
    assert after == [
        "a: flow_input=$ -> m",
        "m: batch=a.for_m",
        "n__fan_out fan_out: m=m.result[] -> n",
        "n: batch=n__fan_out.for_n",
    ]


def test_a_map_over_a_subflow_gets_a_helper_that_receives_all_of_it() -> None:
    flow = Flow("f").subflow("s", "child").map("m", depends_on="s")
    _, after = before_and_after(fan_out_maps, flow, CHILD)
    assert after == [
        "s(child): flow_input=$",
        "m__fan_out fan_out: s__x=s.x, s__y=s.y -> m",
        "m: batch=m__fan_out.for_m",
    ]


@pytest.mark.parametrize("slug", ["class", "config"])
def test_the_names_of_helpers_need_no_mangling(slug: str) -> None:
    _, after = before_and_after(fan_out_maps, Flow("f").map(slug))
    assert after == [
        f"{slug}__fan_out fan_out: flow_input=$ -> {slug}",
        f"{slug}_: batch={slug}__fan_out.for_{slug}",
    ]


def test_without_maps_nothing_changes() -> None:
    before, after = before_and_after(fan_out_maps, Flow("f").step("a").subflow("s", "child"), CHILD)
    assert before == after

from dagster_pgflow.compiler.passes.expose_outputs import expose_outputs
from dagster_pgflow.model.flow import Flow
from tests.unit.compiler.drawing import before_and_after

CHILD = Flow("child").step("x").map("m")
NEST = Flow("nest").subflow("inner", "child").step("z")


def exposed(flow: Flow) -> list[str]:
    """Return what the pass adds to a graph."""
    before, after = before_and_after(expose_outputs, flow, CHILD, NEST)
    assert after[: len(before)] == before
    return after[len(before) :]


def test_the_final_steps_are_handed_on() -> None:
    flow = Flow("f").step("a").step("b", depends_on="a").step("class")
    assert exposed(flow) == ["=> b: b.result", "=> class_: class_.result"]


def test_a_final_map_is_collected_by_a_helper() -> None:
    assert exposed(Flow("f").map("m").step("a")) == [
        "m__collect collect: batches=m.result[]",
        "=> m: m__collect.result",
        "=> a: a.result",
    ]


def test_a_map_that_is_not_final_needs_none() -> None:
    assert exposed(Flow("f").map("m").step("a", depends_on="m")) == ["=> a: a.result"]


def test_a_final_subflow_hands_on_its_final_steps() -> None:
    assert exposed(Flow("f").subflow("s", "nest")) == [
        "=> s__inner__x: s.inner__x",
        "=> s__inner__m: s.inner__m",
        "=> s__z: s.z",
    ]


def test_outputs_that_would_have_one_name_are_told_apart() -> None:
    flow = Flow("f").subflow("s", "child").step("s__x")
    assert exposed(flow) == ["=> s__x: s.x", "=> s__m: s.m", "=> s__x__2: s__x.result"]

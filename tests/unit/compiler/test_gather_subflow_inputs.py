import pytest

from dagster_pgflow.compiler.passes.gather_subflow_inputs import gather_subflow_inputs
from dagster_pgflow.model.flow import Flow
from tests.unit.compiler.drawing import before_and_after

CHILD = Flow("child").step("x").step("y")
MAPPING = Flow("mapping").step("x").map("m", depends_on="x").step("y", depends_on="m")


def flow_of(deps: list[str], flow: str = "child") -> Flow:
    return (
        Flow("f")
        .step("a")
        .step("b")
        .map("m", depends_on="a")
        .map("n", depends_on="a")
        .subflow("t", "child")
        .subflow("s", flow, depends_on=deps)
    )


@pytest.mark.parametrize("deps", [[], ["a"], ["a", "b"], ["m"], ["t"], ["t", "a"]])
def test_a_subflow_that_dagster_can_feed_has_no_helper(deps: list[str]) -> None:
    before, after = before_and_after(gather_subflow_inputs, flow_of(deps), CHILD)
    assert before == after


@pytest.mark.parametrize(
    ("deps", "inputs"),
    [
        (["m", "a"], "m=m.result[], a=a.result"),
        (["a", "m"], "a=a.result, m=m.result[]"),
        (["m", "n"], "m=m.result[], n=n.result[]"),
        (["t", "m"], "t__x=t.x, t__y=t.y, m=m.result[]"),
    ],
)
def test_a_map_among_others_goes_through_a_helper(deps: list[str], inputs: str) -> None:
    before, after = before_and_after(gather_subflow_inputs, flow_of(deps), CHILD)
    assert after[:-2] == before[:-1]
    assert after[-2:] == [f"s__input gather: {inputs}", "s(child): flow_input=s__input.result"]


def test_a_map_before_a_flow_with_maps_goes_through_a_helper() -> None:
    _, after = before_and_after(gather_subflow_inputs, flow_of(["m"], "mapping"), CHILD, MAPPING)
    assert after[-2:] == [
        "s__input gather: m=m.result[]",
        "s(mapping): flow_input=s__input.result",
    ]


def test_a_flow_with_maps_behind_a_plain_step_has_no_helper() -> None:
    before, after = before_and_after(
        gather_subflow_inputs, flow_of(["a", "b"], "mapping"), CHILD, MAPPING
    )
    assert before == after

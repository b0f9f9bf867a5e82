from dagster_pgflow.compiler.passes.hand_on_flow_input import hand_on_flow_input
from dagster_pgflow.model.flow import Flow
from tests.unit.compiler.drawing import before_and_after


def test_only_steps_whose_handler_asks_get_the_flow_input() -> None:
    flow = (
        Flow("f")
        .step("a", "asks")
        .step("b", "plain", depends_on="a")
        .step("c", "asks", depends_on="a")
        .step("d", "nobody", depends_on="a")
        .map("m", "asks", depends_on="a")
        .map("n", "plain")
    )
    before, after = before_and_after(hand_on_flow_input, flow)
    assert sorted(before) == [
        "a: flow_input=$ -> m",
        "b: a=a.result",
        "c: a=a.result",
        "d: a=a.result",
        "m: batch=a.for_m",
        "n: batch=n__fan_out.for_n",
        "n__fan_out fan_out: flow_input=$ -> n",
    ]
    changed = {"c: a=a.result, flow_input=$", "m: batch=a.for_m, flow_input=$"}
    assert set(after) - set(before) == changed
    assert len(after) == len(before)


def test_helpers_get_none_of_their_own() -> None:
    flow = Flow("f").map("m", "asks").map("n", "asks", depends_on="m")
    _, after = before_and_after(hand_on_flow_input, flow)
    assert after == [
        "m__fan_out fan_out: flow_input=$ -> m",
        "m: batch=m__fan_out.for_m, flow_input=$",
        "n__fan_out fan_out: m=m.result[] -> n",
        "n: batch=n__fan_out.for_n, flow_input=$",
    ]

from dagster_pgflow.compiler.passes.place_steps import place_steps
from dagster_pgflow.model.flow import Flow
from tests.unit.compiler.drawing import before_and_after

CHILD = Flow("child").step("x").map("m").step("y", depends_on="x")
NEST = Flow("nest").subflow("inner", "child").step("z")


def placed(flow: Flow) -> list[str]:
    before, after = before_and_after(place_steps, flow, CHILD, NEST)
    assert before == []
    return after


def test_a_root_step_is_fed_by_the_flow_input_and_others_by_their_dependencies() -> None:
    flow = Flow("f").step("a").step("b", depends_on="a").step("c", depends_on=["b", "a", "b"])
    assert placed(flow) == ["a: flow_input=$", "b: a=a.result", "c: b=b.result, a=a.result"]


def test_steps_come_behind_their_dependencies() -> None:
    assert placed(Flow("f").step("b", depends_on="a").step("a")) == [
        "a: flow_input=$",
        "b: a=a.result",
    ]


def test_the_outputs_of_a_map_are_collected() -> None:
    assert placed(Flow("f").map("m").step("b", depends_on="m")) == [
        "m: flow_input=$",
        "b: m=m.result[]",
    ]


def test_a_subflow_has_one_input() -> None:
    flow = (
        Flow("f")
        .step("a")
        .map("m")
        .subflow("first", "child")
        .subflow("one", "child", depends_on="a")
        .subflow("two", "child", depends_on=["a", "m"])
    )
    assert placed(flow)[2:] == [
        "first(child): flow_input=$",
        "one(child): flow_input=a.result",
        "two(child): flow_input=(a.result + m.result[])",
    ]


def test_a_step_behind_a_subflow_receives_each_final_step_without_a_helper() -> None:
    flow = Flow("f").subflow("s", "child").subflow("n", "nest").step("b", depends_on=["s", "n"])
    assert placed(flow)[2] == (
        "b: s__m=s.m, s__y=s.y, n__inner__m=n.inner__m, n__inner__y=n.inner__y, n__z=n.z"
    )


def test_reserved_words_are_mangled_wherever_they_stand() -> None:
    flow = Flow("f").step("class").map("flow_input", depends_on="class")
    assert placed(flow.step("b", depends_on=["class", "flow_input"])) == [
        "class_: flow_input=$",
        "flow_input_: class_=class_.result",
        "b: class_=class_.result, flow_input_=flow_input_.result[]",
    ]

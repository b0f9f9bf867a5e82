"""A step that is a whole flow."""

import pytest

from dagster_pgflow.model.flow import Flow
from tests.execution.harness import gives, run

ECHO = Flow("echo_flow").step("x", "echo")
TWO_LEAVES = Flow("two").step("x", "echo").step("l", **gives(1), depends_on="x").map("m", "echo")
SUM = {"sum": lambda value: sum(value["numbers"]["m"])}


def test_a_root_subflow_receives_the_flow_input() -> None:
    flow = Flow("f").subflow("s", ECHO).step("b", "echo", depends_on="s")
    result = run(flow, {"n": 1}, others=[ECHO])
    assert result.outputs == {"s.x": {"n": 1}, "b": {"s": {"x": {"n": 1}}}}
    assert result.helpers == []


def test_a_subflow_behind_a_step_receives_its_output_by_dependency() -> None:
    flow = Flow("f").step("a", **gives(5)).subflow("s", ECHO, depends_on="a")
    result = run(flow.step("b", "echo", depends_on=["s", "a"]), others=[ECHO])
    assert result.outputs["s.x"] == {"a": 5}
    assert result.outputs["b"] == {"s": {"x": {"a": 5}}, "a": 5}
    assert result.helpers == []


def test_a_subflow_behind_several_steps_receives_all_of_them_without_a_helper() -> None:
    child = (
        Flow("child").step("x", "echo").step("y", "echo").step("z", "echo", depends_on=["x", "y"])
    )
    flow = (
        Flow("f")
        .step("a", **gives(None))
        .step("b", **gives([1]))
        .step("c", **gives({"k": 0}))
        .subflow("s", child, depends_on=["c", "a", "b"])
    )
    result = run(flow, others=[child])
    given = {"c": {"k": 0}, "a": None, "b": [1]}
    assert result.outputs["s.x"] == result.outputs["s.y"] == given
    assert result.outputs["s.z"] == {"x": given, "y": given}
    assert result.helpers == []


def test_a_subflow_behind_a_map_receives_its_whole_list_without_a_helper() -> None:
    flow = Flow("f").step("a", "echo").map("m", "echo", depends_on="a")
    result = run(flow.subflow("s", ECHO, depends_on="m"), [1, 2], others=[ECHO])
    assert result.outputs["s.x"] == {"m": [1, 2]}
    assert result.helpers == []


@pytest.mark.parametrize("deps", [["m", "a"], ["a", "m"], ["m", "n"], ["m", "other"]])
def test_a_subflow_behind_a_map_and_something_else_needs_one_helper(deps: list[str]) -> None:
    flow = (
        Flow("f")
        .step("a", "echo")
        .map("m", "echo", depends_on="a")
        .map("n", "echo", depends_on="a")
        .subflow("other", ECHO)
        .subflow("s", ECHO, depends_on=deps)
        .step("b", "echo", depends_on="s")
    )
    result = run(flow, [1, 2], others=[ECHO])
    outputs = {"m": [1, 2], "n": [1, 2], "a": [1, 2], "other": {"x": [1, 2]}}
    assert result.outputs["s.x"] == {dep: outputs[dep] for dep in deps}
    assert result.outputs["b"] == {"s": {"x": result.outputs["s.x"]}}
    assert [name for name in result.helpers if not name.endswith("__collect")] == ["s__input"]


def test_the_output_of_a_subflow_is_that_of_its_final_steps() -> None:
    flow = Flow("f").subflow("s", TWO_LEAVES).step("b", "echo", depends_on="s")
    result = run(flow, [7, 8], others=[TWO_LEAVES])
    assert result.outputs["b"] == {"s": {"l": 1, "m": [7, 8]}}


def test_a_map_at_the_end_of_a_subflow_is_collected_by_a_helper() -> None:
    child = Flow("numbers").map("m", "echo")
    flow = Flow("f").subflow("numbers", child).step("sum", depends_on="numbers")
    result = run(flow, [1, 2, 3], others=[child], handlers=SUM)
    assert result.outputs["sum"] == 6
    assert result.helpers == ["numbers.m__fan_out", "numbers.m__collect"]


def test_an_empty_map_at_the_end_of_a_subflow_is_an_empty_list() -> None:
    child = Flow("numbers").map("m", "echo")
    flow = Flow("f").subflow("numbers", child).step("sum", depends_on="numbers")
    assert run(flow, [], others=[child], handlers=SUM).outputs["sum"] == 0


def test_one_flow_may_be_used_twice_side_by_side_and_in_a_row() -> None:
    flow = (
        Flow("f")
        .step("a", **gives(1))
        .subflow("one", TWO_LEAVES)
        .subflow("two", TWO_LEAVES)
        .subflow("after", ECHO, depends_on="one")
        .step("b", "echo", depends_on=["one", "two", "after"])
    )
    result = run(flow, [5], others=[ECHO, TWO_LEAVES])
    whole = {"l": 1, "m": [5]}
    assert result.outputs["b"] == {"one": whole, "two": whole, "after": {"x": {"one": whole}}}


def test_the_same_flow_runs_alone_and_inside_others() -> None:
    child = Flow("child").map("m", "echo").step("last", "echo", depends_on="m")
    assert run(child, [1]).outputs == {"m": [1], "last": {"m": [1]}}
    outputs = run(Flow("f").subflow("s", child), [1], others=[child]).outputs
    assert outputs == {"s.m": [1], "s.last": {"m": [1]}}


def test_subflows_nest_to_any_depth() -> None:
    deepest = Flow("deepest").step("x", "echo").map("m", "echo")
    middle = Flow("middle").step("start", "echo").subflow("core", deepest).subflow("again", deepest)
    outer = Flow("outer").subflow("mid", middle).step("side", **gives(0))
    flow = Flow("f").subflow("out", outer).step("end", "echo", depends_on="out")
    result = run(flow, [1], others=[deepest, middle, outer])
    inner = {"x": [1], "m": [1]}
    assert result.outputs["end"] == {
        "out": {"mid": {"start": [1], "core": inner, "again": inner}, "side": 0}
    }
    assert result.outputs["out.mid.core.m"] == [1]


def test_a_fan_in_reaches_a_subflow_within_a_subflow() -> None:
    middle = Flow("middle").subflow("core", ECHO).step("x", "echo")
    flow = (
        Flow("f")
        .step("a", **gives(1))
        .step("b", **gives(2))
        .subflow("s", middle, depends_on=["a", "b"])
    )
    result = run(flow.step("end", "echo", depends_on="s"), others=[ECHO, middle])
    given = {"a": 1, "b": 2}
    assert result.outputs["end"] == {"s": {"core": {"x": given}, "x": given}}


def test_a_map_reaches_a_subflow_within_a_subflow() -> None:
    middle = Flow("middle").subflow("core", ECHO).step("x", "echo")
    flow = Flow("f").map("m", "echo").subflow("s", middle, depends_on="m")
    result = run(flow.step("end", "echo", depends_on="s"), [1, 2], others=[ECHO, middle])
    given = {"m": [1, 2]}
    assert result.outputs["end"] == {"s": {"core": {"x": given}, "x": given}}


def test_subflows_follow_each_other() -> None:
    one_leaf = Flow("one_leaf").step("x", "echo").step("l", **gives(1), depends_on="x")
    flow = (
        Flow("f")
        .subflow("a", ECHO)
        .subflow("b", one_leaf, depends_on="a")
        .subflow("c", ECHO, depends_on=["b", "a"])
        .subflow("d", ECHO, depends_on="c")
    )
    result = run(flow, 5, others=[ECHO, one_leaf])
    assert result.outputs["b.x"] == {"a": {"x": 5}}
    assert result.outputs["c.x"] == {"b": {"l": 1}, "a": {"x": 5}}
    assert result.outputs["d.x"] == {"c": {"x": result.outputs["c.x"]}}


def test_a_map_over_a_step_inside_a_subflow() -> None:
    child = Flow("child").step("list", **gives([1, 2])).map("m", "echo", depends_on="list")
    flow = Flow("f").subflow("s", child).step("b", "echo", depends_on="s")
    result = run(flow, others=[child])
    assert result.outputs["b"] == {"s": {"m": [1, 2]}}
    assert result.helpers == ["s.m__collect"]


def test_a_map_over_the_input_of_a_subflow_needs_that_to_be_a_list() -> None:
    child = Flow("child").map("m", "echo")
    assert run(Flow("f").subflow("s", child), [1], others=[child]).outputs == {"s.m": [1]}
    behind = Flow("f").step("a", **gives([1])).subflow("s", child, depends_on="a")
    assert run(behind, others=[child]).errors == {
        "s.m": 'Map step "s.m" needs a list, but the input of flow "child" is an object; return'
        " a list from there."
    }


def test_a_map_over_a_subflow_says_that_its_output_is_an_object() -> None:
    flow = Flow("f").subflow("s", ECHO).map("m", "echo", depends_on="s")
    result = run(flow, [1], others=[ECHO])
    assert result.errors == {
        "m": 'Map step "m" needs a list, but step "s" returned an object; return a list from there.'
    }
    assert result.helpers == ["m__fan_out"]


def test_a_failed_step_of_a_subflow_fails_the_run_and_what_depends_on_it() -> None:
    child = Flow("child", max_attempts=1).step("x", "fail").step("y", "echo", depends_on="x")
    flow = Flow("f").subflow("s", child).step("b", "echo", depends_on="s").step("c", **gives(1))
    result = run(flow, others=[child], handlers={"fail": lambda _: 1 / 0})
    assert result.statuses == {"s.x": "failed", "c": "completed"}
    assert 'Handler "fail" of step "s.x" (flow "child", attempt 1)' in result.error


def test_handlers_are_found_by_the_flow_that_the_step_belongs_to() -> None:
    child = Flow("child").step("x")
    flow = Flow("f").subflow("s", child).step("x")
    handlers = {"child.x": lambda _: "child's", "f.x": lambda _: "f's"}
    result = run(flow, others=[child], handlers=handlers)
    assert result.outputs == {"s.x": "child's", "x": "f's"}

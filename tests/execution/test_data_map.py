"""One data map: inputs that are merged, inputs that are kept, outputs that are one object."""

from typing import Any, Literal

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.fragment import Fragment
from tests.execution.harness import Result, gives, run
from tests.reference.interpreter import interpret

KEPT: dict[str, Any] = {"merge_input": True, "keep_input": True}


def adds(**values: Any) -> dict[str, Any]:
    """The arguments of a step that adds to the data map."""
    return gives(values) | KEPT


def test_keys_live_on_from_step_to_step_and_the_later_one_counts() -> None:
    flow = (
        Flow("f")
        .step("a", **adds(a=1, x="a"))
        .step("b", **adds(b=2, x="b"), depends_on="a")
        .step("c", "echo", depends_on="b", merge_input=True)
    )
    assert run(flow, {"i": 0, "x": "input"}).outputs == {
        "a": {"i": 0, "x": "a", "a": 1},
        "b": {"i": 0, "x": "b", "a": 1, "b": 2},
        "c": {"i": 0, "x": "b", "a": 1, "b": 2},
    }


def test_objects_are_laid_over_each_other_in_the_order_of_depends_on_and_not_deeper() -> None:
    flow = (
        Flow("f")
        .step("a", **gives({"x": {"deep": "a"}, "only": None}))
        .step("b", **gives({"x": {"b": 1}}))
        .step("ab", "echo", depends_on=["a", "b"], merge_input=True)
        .step("ba", "echo", depends_on=["b", "a"], merge_input=True)
        .join("j", depends_on=["b", "a"], merge_input=True)
    )
    outputs = run(flow).outputs
    assert outputs["ab"] == {"x": {"b": 1}, "only": None}
    assert outputs["ba"] == outputs["j"] == {"x": {"deep": "a"}, "only": None}


def test_conditions_see_the_merged_object_and_deps_stay_by_name() -> None:
    flow = (
        Flow("f")
        .step("a", **adds(paid=True))
        .step("pattern", "echo", depends_on="a", merge_input=True, if_={"paid": True})
        .step("not_pattern", "echo", depends_on="a", merge_input=True, if_not={"paid": True})
        .step(
            "cel",
            "echo",
            depends_on="a",
            merge_input=True,
            run_if="input.paid && deps.a.paid && output.paid && !has(input.a)",
        )
        .step(
            "params",
            "give",
            params={"value": "$nodes.a.paid"},
            depends_on="a",
            merge_input=True,
        )
    )
    result = run(flow, {})
    assert result.skips == {"not_pattern": "condition_unmet"}
    assert result.outputs["cel"] == {"paid": True}
    assert result.outputs["params"] is True


def test_what_was_skipped_or_not_taken_adds_nothing() -> None:
    flow = (
        Flow("f")
        .branch("way", **KEPT, rules=[("output.good", "yes")], default_path="no")
        .step("yes", **adds(way="yes"), depends_on="way")
        .step("no", **adds(way="no"), depends_on="way")
        .step("never", **adds(never=1), run_if="false")
        .step("met", **adds(met=1), depends_on=["yes", "no"])
        .step("late", "echo", depends_on=["met", "never"], merge_input=True)
        .join("any", depends_on=["never", "met"], wait="any", merge_input=True)
    )
    result = run(flow, {"good": False})
    assert result.outputs["late"] == {"good": False, "way": "no", "met": 1}
    assert result.outputs["any"] == result.outputs["late"]
    assert result.skips == {"yes": "not_taken", "never": "condition_unmet"}
    assert run(flow, {"good": True}).outputs["met"] == {"good": True, "way": "yes", "met": 1}


@pytest.mark.parametrize("output", [[1], "text", None, 3, True], ids=repr)
def test_only_objects_are_merged_and_kept(output: Any) -> None:
    merging = (
        Flow("f", max_attempts=1)
        .step("a", **gives(output))
        .step("b", "echo", depends_on="a", merge_input=True)
    )
    error = run(merging).error
    assert 'Step "b" merges what its dependencies returned, but "a" returned' in error
    keeping = Flow("f", max_attempts=1).step("a", **gives(output), keep_input=True)
    assert 'Step "a" keeps its input, but its handler returned' in run(keeping, {}).error
    if output is not None:
        receiving = Flow("f").step("a", **gives({}), keep_input=True)
        assert 'Step "a" keeps its input, but that is' in run(receiving, output).error


def test_a_handler_is_not_called_whose_output_could_not_be_kept() -> None:
    called: list[Any] = []
    flow = Flow("f").step("a", "note", keep_input=True)
    assert not run(flow, [1], handlers={"note": called.append}).success
    assert called == []


def test_hostile_keys_are_keys_like_all_others() -> None:
    value = {"__class__": "x", "dagster-pgflow/skipped": {"reason": "x"}, "": 0}
    flow = (
        Flow("f", merge_output=True)
        .step("a", **gives(value), keep_input=True)
        .step("b", "echo", depends_on="a", **KEPT)
    )
    assert run(flow, {"__dict__": 1}).outputs["b"] == {"__dict__": 1, **value}


def count(given: dict[str, Any]) -> dict[str, Any]:
    return {"n": given.get("n", 0) + 1}


@pytest.mark.parametrize("has_start", [True, False], ids=["behind_a_step", "at_the_root"])
@pytest.mark.parametrize("most", [4, 200], ids=["as_graphs", "as_runs"])
def test_each_iteration_receives_what_the_loop_returned_over_what_it_began_with(
    has_start: bool, most: int
) -> None:
    flow = Flow("f")
    if has_start:
        flow = flow.step("start", **adds(start=1))
    flow = (
        flow.step("draft", "count", depends_on=["start"] if has_start else [], **KEPT)
        .step("judge", **adds(judged=True), depends_on="draft")
        .loop(
            "good",
            back_to="draft",
            condition="output.n < output.enough && input.judged",
            max_iterations=most,
            break_path="done",
            depends_on="judge",
            **KEPT,
        )
        .step("done", "echo", depends_on="good", merge_input=True)
    )
    result = run(flow, {"enough": 3}, handlers={"count": count})
    start = {"start": 1} if has_start else {}
    assert result.outputs["done"] == {"enough": 3, "n": 3, "judged": True, **start}


CHILD = (
    Flow("child", merge_output=True)
    .step("x", **adds(x=1, both="x"))
    .step("y", **adds(y=2, both="y"))
)


@pytest.mark.parametrize("mode", ["inline", "run"])
@pytest.mark.parametrize("mapping", [None, {"only": "$nodes.a.a"}], ids=["whole", "mapped"])
def test_a_subflow_receives_the_merged_object_and_its_output_is_laid_over_it(
    mode: Any, mapping: Any
) -> None:
    flow = (
        Flow("f")
        .step("a", **adds(a=1, both="a"))
        .subflow("s", CHILD, depends_on="a", mode=mode, input=mapping, **KEPT)
        .step("after", "echo", depends_on="s", merge_input=True)
    )
    result = run(flow, {"i": 0}, others=[CHILD])
    received = {"only": 1} if mapping else {"i": 0, "a": 1}
    over = {"both": "y", "x": 1, "y": 2}
    assert result.outputs["after"] == {"i": 0, "a": 1, **received, **over}


def test_a_subflow_at_the_root_keeps_the_flow_input() -> None:
    flow = Flow("f").subflow("s", CHILD, input={"who": "$input.name"}, keep_input=True)
    flow = flow.step("after", "echo", depends_on="s", merge_input=True)
    wanted = {"name": "Ada", "who": "Ada", "x": 1, "y": 2, "both": "y"}
    assert run(flow, {"name": "Ada"}, others=[CHILD]).outputs["after"] == wanted


@pytest.mark.parametrize("mode", ["inline", "run"])
def test_a_flow_without_output_adds_nothing(mode: Any) -> None:
    child = Flow("child", merge_output=True).step("x", **adds(x=1), run_if="false")
    flow = (
        Flow("f")
        .step("a", **adds(a=1))
        .subflow("keeps", child, depends_on="a", mode=mode, **KEPT)
        .subflow("nothing", child, depends_on="a", mode=mode, merge_input=True)
        .step("after", "echo", depends_on=["keeps", "nothing"], merge_input=True)
    )
    result = run(flow, {}, others=[child])
    assert result.outputs["after"] == {"a": 1}


@pytest.mark.parametrize("mode", ["inline", "run"])
def test_a_skipped_subflow_adds_nothing(mode: Any) -> None:
    flow = (
        Flow("f")
        .step("a", **adds(a=1))
        .subflow("s", CHILD, depends_on="a", mode=mode, if_={"b": 1}, **KEPT)
        .step("after", "echo", depends_on=["a", "s"], merge_input=True)
    )
    result = run(flow, {}, others=[CHILD])
    assert result.outputs["after"] == {"a": 1}


@pytest.mark.parametrize("mode", ["inline", "run"])
def test_an_output_of_a_subflow_that_is_no_object_cannot_be_kept(mode: Any) -> None:
    flow = Flow("f").subflow("s", CHILD, mode=mode, output="$nodes.x.x", keep_input=True)
    error = run(flow, {}, others=[CHILD]).error
    assert 'Step "s" keeps its input, but what flow "child" returned is a number' in error


def test_merged_outputs_of_each_item_of_a_list() -> None:
    modes: list[Literal["inline", "run"]] = ["inline", "run"]
    for mode in modes:
        flow = Flow("f").subflow("each", CHILD, over="$input.them", mode=mode)
        flow = flow.step("after", "echo", depends_on="each")
        result = run(flow, {"them": [{"n": 1}, {"n": 2}]}, others=[CHILD])
        assert result.outputs["after"] == {
            "each": [{"n": n, "x": 1, "y": 2, "both": "y"} for n in (1, 2)]
        }


def test_subflows_in_subflows_return_merged_objects_by_their_own_words() -> None:
    middle = Flow("middle").subflow("inner", CHILD).step("z", **adds(z=3))
    top = Flow("top", merge_output=True).subflow("m", middle, keep_input=True)
    flow = Flow("f").subflow("t", top).step("after", "echo", depends_on="t", merge_input=True)
    result = run(flow, {"i": 0}, others=[CHILD, middle, top])
    inner = {"i": 0, "x": 1, "y": 2, "both": "y"}
    assert result.outputs["after"] == {"i": 0, "inner": inner, "z": {"i": 0, "z": 3}}


@pytest.mark.parametrize("where", ["single", "map", "subflow", "list", "loop"])
def test_a_final_step_without_an_object_fails_where_outputs_are_merged(where: str) -> None:
    flow = Flow("f", merge_output=True, max_attempts=1)
    match where:
        case "single":
            flow = flow.step("last", **gives([1]))
        case "map":
            flow = flow.step("list", **gives([1])).map("last", "echo", depends_on="list")
        case "subflow":
            flow = flow.subflow("last", CHILD, output="$nodes.x.x")
        case "list":
            flow = flow.subflow("last", CHILD, over="$input.them")
        case _:
            flow = flow.step("a", **gives(1)).loop(
                "last", back_to="a", condition="false", max_iterations=2, depends_on="a"
            )
    result: Result = run(flow, {"them": []}, others=[CHILD])
    assert not result.success
    named = "last[1].last" if where == "loop" else "last"
    assert f'as one object, but step "{named}" returned' in result.error


@pytest.mark.parametrize("flow_input", [{"i": 0, "n": 5}, {}, [1]], ids=repr)
@pytest.mark.parametrize("output", [{"a": 1}, None, [2]], ids=repr)
def test_a_run_comes_to_what_the_rules_say(flow_input: Any, output: Any) -> None:
    child = Flow("child", merge_output=True, max_attempts=1).step("x", **adds(x=1))
    flow = (
        Flow("top", merge_output=True, max_attempts=1)
        .step("a", **gives(output), keep_input=True, when_exhausted="skip")
        .step("b", **gives(output), when_exhausted="skip")
        .step("c", "echo", depends_on=["a"], merge_input=True, if_={"i": 0})
        .subflow("s", child, depends_on=["b", "c"], **KEPT, on_failure="undo")
        .step("undo", "echo", depends_on="s", merge_input=True)
        .branch("way", depends_on="s", **KEPT, rules=[("output == null", "d")], default_path="e")
        .step("d", "echo", depends_on="way", merge_input=True)
        .step("e", "echo", depends_on="way", **KEPT)
        .step("f", "echo", depends_on=["d", "e"], merge_input=True)
    )
    handlers = {"echo": lambda call: call.value, "give": lambda call: call.params["value"]}
    expected = interpret(flow, {"child": child}, handlers, flow_input)
    result = run(flow, flow_input, others=[child])
    assert result.success == (expected.status == "completed")
    completed = {path: end for path, end in expected.steps.items() if end.status == "completed"}
    told = {path: end.output for path, end in completed.items() if path != "s"}
    known = {path: found for path, found in result.outputs.items() if path != "s"}
    assert known.keys() == told.keys()
    # In what words a failure is told, others compare.
    assert all(known[path] == told[path] for path in known if path not in ("undo", "f"))


def test_a_fragment_merges_under_any_prefix() -> None:
    fragment = (
        Fragment("part", entry="first", exits={"done": "second"})
        .step("first", "echo", merge_input=True, if_={"first": 1})
        .step("second", "echo", depends_on="first", merge_input=True, run_if="input.first == 1")
    )
    flow = (
        Flow("f")
        .step("first", **gives({"first": 1}))
        .include(fragment, "p", depends_on=["first"], exits={"done": []})
    )
    assert run(flow).outputs["p_second"] == {"first": 1}

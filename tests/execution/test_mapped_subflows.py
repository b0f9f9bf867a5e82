"""A subflow that runs once for each item of a list."""

from collections.abc import Callable
from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.runtime.context import StepContext
from tests.execution.harness import Result, gives, run

CHILD = (
    Flow("child", max_attempts=1)
    .step("double")
    .step("add", depends_on="double")
    .step("note", "echo", depends_on="double")
)


def double(value: int) -> int:
    if value == 13:
        raise ValueError("no thirteen")
    return value * 2


HANDLERS: dict[str, Callable[..., Any]] = {
    "double": double,
    "add": lambda given: given["double"] + 1,
}


def mapped(items: Any, *others: Flow, child: Flow = CHILD, **settings: Any) -> Result:
    flow = (
        Flow("f", max_attempts=1)
        .step("list", **gives(items))
        .subflow("each", child, depends_on="list", **{"over": "list", **settings})
        .step("after", "echo", depends_on="each")
    )
    return run(flow, others=[child, *others], handlers=HANDLERS)


def test_the_output_is_the_list_of_what_the_flow_returned_by_index() -> None:
    result = mapped([1, 2, 3])
    assert result.outputs["after"] == {
        "each": [
            {"add": 3, "note": {"double": 2}},
            {"add": 5, "note": {"double": 4}},
            {"add": 7, "note": {"double": 6}},
        ]
    }
    assert result.fans_out["each__fan_out"] == {"each": (3, 3)}
    assert set(result.helpers) == {"each__fan_out", "each__output"}


def test_the_order_is_kept_beyond_nine_items() -> None:
    result = mapped(list(range(12)), output="$nodes.add")
    assert result.outputs["after"] == {"each": [n * 2 + 1 for n in range(12)]}


def test_the_mapping_sees_the_item() -> None:
    child = Flow("child").step("first", "echo")
    items = [{"sku": "a", "n": 1}, {"sku": "b", "n": 2}]
    result = mapped(items, child=child, input={"what": "$item.sku", "all": "$nodes.list.0.n"})
    assert [one["first"] for one in result.outputs["after"]["each"]] == [
        {"what": "a", "all": 1},
        {"what": "b", "all": 1},
    ]


@pytest.mark.parametrize(
    ("over", "items"), [("$nodes.list.items", {"items": [1]}), ("$nodes.list[0]", [[1]])]
)
def test_the_list_may_lie_inside_an_output(over: str, items: Any) -> None:
    assert mapped(items, over=over, output="$nodes.add").outputs["after"] == {"each": [3]}


def test_the_list_may_lie_in_the_flow_input() -> None:
    flow = (
        Flow("f")
        .subflow("each", CHILD, over="$input.numbers", output="$nodes.add")
        .step("after", "echo", depends_on="each")
    )
    result = run(flow, {"numbers": [1, 2]}, others=[CHILD], handlers=HANDLERS)
    assert result.outputs["after"] == {"each": [3, 5]}


def test_an_empty_list_gives_an_empty_list() -> None:
    assert mapped([]).outputs["after"] == {"each": []}


def test_null_items_and_falsy_outputs_survive() -> None:
    child = Flow("child").step("only", "echo")
    result = mapped([None, 0, "", False, []], child=child, output="$nodes.only")
    assert result.outputs["after"] == {"each": [None, 0, "", False, []]}


@pytest.mark.parametrize(
    ("items", "kind"), [({"a": 1}, "an object"), ("ab", "text"), (3, "a number")]
)
def test_what_is_no_list_fails_the_run(items: Any, kind: str) -> None:
    result = mapped(items)
    assert not result.success
    assert f'Subflow step "each" runs over $nodes.list, which is {kind}' in result.error


def test_one_failed_item_fails_the_run_and_says_which() -> None:
    result = mapped([1, 13, 2])
    assert not result.success
    assert 'step "each[1].double" (flow "child", attempt 1)' in result.error
    assert "after" not in result.outputs


def test_a_failed_item_is_routed_with_the_trace_of_that_item() -> None:
    flow = (
        Flow("f", max_attempts=1)
        .step("list", **gives([1, 13]))
        .subflow("each", CHILD, depends_on="list", over="list", on_failure="repair")
        .step("repair", "echo", depends_on="each")
        .step("after", "echo", depends_on="each")
    )
    result = run(flow, others=[CHILD], handlers=HANDLERS)
    assert result.success
    told = result.outputs["repair"]["each"]
    assert "raised ValueError: no thirteen (" in told["error"]
    assert [(entry["step"], entry["status"]) for entry in told["child_trace"]] == [
        ("[1].double", "failed")
    ]
    assert result.skips["after"] == "not_taken"


def test_a_condition_that_does_not_hold_skips_every_item() -> None:
    result = mapped([1, 2], if_={"list": [9]})
    assert result.outputs["after"] == {}
    assert "each.double" not in result.executions
    cascading = mapped([1, 2], run_if="size(deps.list) > 5", when_unmet="skip-cascade")
    assert cascading.skips["after"] == "dependency_skipped"


def test_conditions_inside_are_those_of_the_item() -> None:
    child = (
        Flow("child")
        .step("size", "echo")
        .step("large", "echo", depends_on="size", run_if="deps.size > 10")
    )
    result = mapped([5, 50], child=child)
    assert result.outputs["after"]["each"] == [None, {"large": {"size": 50}}]


def test_subflows_inside_an_item_may_branch_and_join() -> None:
    leaf = Flow("leaf").step("x", "echo").step("y", "echo")
    child = (
        Flow("child")
        .step("a", "echo")
        .step("b", "echo")
        .subflow("inner", leaf, depends_on=["a", "b"], input={"sum": ["$nodes.a", "$nodes.b"]})
        .subflow("outer", leaf, depends_on=["inner", "a"], output="$nodes.x.inner.x")
        .step("last", "echo", depends_on=["outer", "b"])
    )
    result = mapped([1, 2], leaf, child=child)
    assert [one["last"]["outer"] for one in result.outputs["after"]["each"]] == [
        {"sum": [1, 1]},
        {"sum": [2, 2]},
    ]


def test_a_failure_inside_an_item_may_be_routed_inside() -> None:
    leaf = Flow("leaf", max_attempts=1).step("double")
    child = (
        Flow("child")
        .subflow("try", leaf, on_failure="mend")
        .step("fine", "echo", depends_on="try")
        .step("mend", "echo", depends_on="try")
    )
    result = mapped([1, 13], leaf, child=child)
    first, second = result.outputs["after"]["each"]
    assert list(first) == ["fine"]
    assert list(second) == ["mend"]
    assert second["mend"]["try"]["child_trace"][0]["step"] == "double"


def test_the_context_of_a_step_knows_the_item() -> None:
    seen: list[tuple[str, str]] = []

    def note(value: Any, ctx: StepContext) -> Any:
        seen.append((ctx.task_path, ctx.idempotency_key.partition(":")[2]))
        assert ctx.flow_input == value
        return value

    child = Flow("child").step("only", "note")
    flow = Flow("f").subflow("each", child, over="$input")
    assert run(flow, [7, 8], others=[child], handlers={"note": note}).success
    assert sorted(seen) == [
        ("each[0].only", "each[0].only:0"),
        ("each[1].only", "each[1].only:0"),
    ]


def test_a_list_of_a_map_may_be_run_over_and_mapped_again() -> None:
    flow = (
        Flow("f")
        .map("m", "double")
        .subflow("each", CHILD, depends_on="m", over="m", output="$nodes.add")
        .map("n", "double", depends_on="each")
        .step("all", "echo", depends_on=["m", "each", "n"])
    )
    result = run(flow, [1, 2], others=[CHILD], handlers=HANDLERS)
    assert result.outputs["all"] == {"m": [2, 4], "each": [5, 9], "n": [10, 18]}


def test_a_failed_item_leaves_no_run_hanging_that_joins_it_with_maps() -> None:
    flow = (
        Flow("f", max_attempts=1)
        .step("list", **gives([1, 13]))
        .map("m", "echo", depends_on="list")
        .subflow("each", CHILD, depends_on="list", over="list")
        .step("join", "echo", depends_on=["each", "m"])
        .step("last", "echo", depends_on="join")
    )
    result = run(flow, others=[CHILD], handlers=HANDLERS)
    assert not result.success
    assert "last" not in result.outputs


def test_a_mapped_subflow_may_stand_in_a_subflow() -> None:
    middle = Flow("middle").subflow("each", CHILD, over="$input", output="$nodes.add")
    flow = Flow("f").subflow("s", middle).step("after", "echo", depends_on="s")
    result = run(flow, [1, 2], others=[middle, CHILD], handlers=HANDLERS)
    assert result.outputs["after"] == {"s": {"each": [3, 5]}}


def test_maps_inside_an_item_run_in_one_op_with_the_same_outputs() -> None:
    child = (
        Flow("child", max_attempts=1)
        .step("numbers", "echo")
        .map("twice", "double", depends_on="numbers")
        .map("again", "double", depends_on="twice", pipelined=True)
        .step("both", "echo", depends_on=["twice", "again"])
    )
    result = mapped([[1, 2], [], [3]], child=child)
    assert [one["both"] for one in result.outputs["after"]["each"]] == [
        {"twice": [2, 4], "again": [4, 8]},
        {"twice": [], "again": []},
        {"twice": [6], "again": [12]},
    ]
    assert result.executions["each.twice"] == 3


@pytest.mark.parametrize("start", ["root", "leaf"])
def test_a_map_may_begin_and_end_the_flow_of_an_item(start: str) -> None:
    child = Flow("child").map("m", "double")
    if start == "leaf":
        child = Flow("child").step("a", "echo").map("m", "double", depends_on="a")
    result = mapped([[1, 2], [3]], child=child, output="$nodes.m")
    assert result.outputs["after"] == {"each": [[2, 4], [6]]}


def test_an_element_that_fails_inside_an_item_is_named_with_both_indexes() -> None:
    child = Flow("child", max_attempts=1).map("double")
    result = mapped([[1], [1, 13]], child=child)
    assert 'step "each[1].double[1]" (flow "child", attempt 1)' in result.error


def test_finished_elements_inside_an_item_are_not_run_again() -> None:
    calls: list[str] = []

    def flaky(value: int, ctx: StepContext) -> int:
        calls.append(ctx.task_path)
        if value == 2 and ctx.attempt == 1:
            raise ValueError
        return value

    child = Flow("child", base_delay=0).map("m", "flaky")
    flow = Flow("f").subflow("each", child, over="$input")
    assert run(flow, [[1, 2]], others=[child], handlers={"flaky": flaky}).success
    assert calls == ["each[0].m[0]", "each[0].m[1]", "each[0].m[1]"]


def test_conditions_and_errors_of_maps_inside_an_item_mean_what_they_always_mean() -> None:
    child = (
        Flow("child", max_attempts=1)
        .step("numbers", "echo")
        .map(
            "m", "double", depends_on="numbers", run_if="size(deps.numbers) < 3 && flow_input != []"
        )
        .map("c", "double", depends_on="numbers", collect_errors=True)
        .step("seen", "echo", depends_on=["m", "c"])
    )
    result = mapped([[1, 13], [1, 2, 3]], child=child, output="$nodes.seen", on_failure=None)
    assert not result.success
    fine = mapped([[1, 2, 3], [5]], child=child, output="$nodes.seen")
    assert fine.outputs["after"]["each"] == [{"c": [2, 4, 6]}, {"m": [10], "c": [10]}]


def test_the_same_flow_runs_as_a_job_as_a_subflow_and_for_items_in_one_location() -> None:
    child = Flow("child").step("a", "echo").map("m", "double", depends_on="a")
    flow = (
        Flow("f")
        .subflow("once", child, input={"x": 1}, if_={"never": 1})
        .subflow("each", child, over="$input", output="$nodes.m")
        .step("after", "echo", depends_on="each")
    )
    result = run(flow, [[1]], others=[child], handlers=HANDLERS)
    assert result.outputs["after"] == {"each": [[2]]}


def test_the_failure_of_an_item_is_one_of_the_flow_around_that_goes_on() -> None:
    middle = (
        Flow("middle", max_attempts=1)
        .subflow("each", CHILD, over="$input")
        .step("sum", "echo", depends_on="each")
    )
    flow = (
        Flow("f")
        .subflow("pay", middle, on_failure="mend")
        .step("mend", "echo", depends_on="pay")
        .step("after", "echo", depends_on="pay")
    )
    others = [middle, CHILD]
    result = run(flow, [1, 13], others=others, handlers=HANDLERS)
    assert "no thirteen (" in result.outputs["mend"]["pay"]["error"]
    assert result.skips["after"] == "not_taken"
    assert "pay.sum" not in result.outputs
    # Nothing changes where the list is what the flow ends with.
    middle = middle.model_copy(update={"steps": middle.steps[:1]})
    assert "mend" in run(flow, [1, 13], others=[middle, CHILD], handlers=HANDLERS).outputs


def test_a_step_may_be_called_like_a_graph() -> None:
    child = Flow("child").map("as_subflow", "echo").step("as_item", "echo")
    flow = (
        Flow("f")
        .subflow("each", child, over="$input.lists")
        .subflow("once", child, input={"x": 1}, run_if="false")
        .step("after", "echo", depends_on=["each", "once"])
    )
    result = run(flow, {"lists": [[1]]}, others=[child])
    assert result.outputs["after"] == {"each": [{"as_subflow": [1], "as_item": [1]}]}


def test_a_list_in_a_dependency_that_was_skipped_is_an_empty_one_however_it_is_written() -> None:
    for over in ("list", "$nodes.list", "$nodes.list.items"):
        flow = (
            Flow("f")
            .step("list", if_={"x": 1}, **gives([1]))
            .subflow("each", CHILD, depends_on="list", over=over)
            .step("after", "echo", depends_on="each")
        )
        result = run(flow, {}, others=[CHILD], handlers=HANDLERS)
        assert result.outputs["after"] == {"each": []}


def test_what_cannot_be_put_together_is_told_with_the_index_of_the_item() -> None:
    result = mapped([{"sku": 1}, {}], input={"what": "$item.sku"})
    assert 'The input of subflow step "each[1]" cannot be put together' in result.error
    result = mapped([1, 2], output="$nodes.add.ghost")
    assert 'The output of subflow step "each[0]" cannot be put together' in result.error


def test_the_trace_leaves_out_items_that_went_on_after_a_failure_inside() -> None:
    leaf = Flow("leaf", max_attempts=1).step("double")
    child = (
        Flow("child", max_attempts=1)
        .subflow("try", leaf, on_failure="mend")
        .step("mend", depends_on="try", **gives(1))
        .step("breaks", "add", run_if="flow_input == 7")
    )
    flow = (
        Flow("f")
        .subflow("each", child, over="$input", on_failure="repair")
        .step("repair", "echo", depends_on="each")
    )
    result = run(flow, [13, 7], others=[child, leaf], handlers=HANDLERS)
    trace = result.outputs["repair"]["each"]["child_trace"]
    assert {entry["step"].partition(".")[0] for entry in trace} == {"[1]"}

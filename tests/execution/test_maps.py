"""Map steps: one task an element."""

from collections.abc import Callable
from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from tests.execution.harness import gives, run


def double(value: Any) -> Any:
    return value * 2


HANDLERS: dict[str, Callable[..., Any]] = {
    "double": double,
    "count": lambda value: len(next(iter(value.values()))),
    "index": lambda value, ctx: [ctx.task_index, value],
}


def test_each_task_receives_its_element_raw_and_the_outputs_are_a_list_by_index() -> None:
    flow = (
        Flow("f").step("a", **gives([{"n": 1}, None, 0, "", [1]])).map("m", "echo", depends_on="a")
    )
    result = run(flow.step("b", "echo", depends_on="m"))
    assert result.outputs["m"] == [{"n": 1}, None, 0, "", [1]]
    assert result.outputs["b"] == {"m": [{"n": 1}, None, 0, "", [1]]}


def test_the_outputs_keep_their_order_beyond_nine_elements() -> None:
    flow = Flow("f").map("m", "double").step("b", "echo", depends_on="m")
    assert run(flow, list(range(12)), handlers=HANDLERS).outputs["b"]["m"] == list(range(0, 24, 2))


def test_a_map_without_dependency_maps_over_the_flow_input_with_one_helper() -> None:
    result = run(Flow("f").map("m", "double"), [1, 2], handlers=HANDLERS)
    assert result.outputs == {"m": [2, 4]}
    assert result.helpers == ["m__fan_out", "m__collect"]


def test_a_map_over_a_single_step_needs_no_helper() -> None:
    flow = Flow("f").step("a", "echo").map("m", "double", depends_on="a")
    result = run(flow.step("b", "echo", depends_on="m"), [1], handlers=HANDLERS)
    assert result.helpers == []
    assert result.fans_out == {"a": {"m": (1, 1)}}


def test_several_maps_over_one_step_need_no_helper() -> None:
    flow = (
        Flow("f")
        .step("a", "echo")
        .map("m", "double", depends_on="a")
        .map("n", "echo", depends_on="a")
        .step("b", "echo", depends_on=["m", "n", "a"])
    )
    result = run(flow, [1, 2], handlers=HANDLERS)
    assert result.outputs["b"] == {"m": [2, 4], "n": [1, 2], "a": [1, 2]}
    assert result.helpers == []


def test_a_map_over_a_map_waits_for_all_of_it() -> None:
    seen: list[Any] = []

    def note(value: Any, ctx: Any) -> Any:
        seen.append((ctx.step_slug, value))
        return value

    flow = Flow("f").map("first", "note").map("second", "note", depends_on="first")
    result = run(flow, [1, 2, 3], handlers={"note": note})
    assert result.outputs == {"first": [1, 2, 3], "second": [1, 2, 3]}
    assert [slug for slug, _ in seen] == ["first"] * 3 + ["second"] * 3
    assert result.helpers == ["first__fan_out", "second__fan_out", "second__collect"]


@pytest.mark.parametrize("length", [1, 2, 4])
def test_an_empty_list_completes_with_an_empty_list_down_a_chain_of_maps(length: int) -> None:
    flow = Flow("f").step("a", **gives([])).map("m0", "double", depends_on="a")
    for index in range(1, length):
        flow = flow.map(f"m{index}", "double", depends_on=f"m{index - 1}")
    flow = flow.step("end", "echo", depends_on=f"m{length - 1}")
    result = run(flow, handlers=HANDLERS)
    assert [result.outputs[f"m{index}"] for index in range(length)] == [[]] * length
    assert result.outputs["end"] == {f"m{length - 1}": []}
    assert all(result.tasks[f"m{index}"] == [] for index in range(length))


def test_an_empty_root_map_completes_with_an_empty_list() -> None:
    assert run(Flow("f").map("m", "double"), [], handlers=HANDLERS).outputs == {"m": []}


def test_an_empty_map_needs_no_handler() -> None:
    assert run(Flow("f").map("m"), []).outputs == {"m": []}


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "null"),
        ({"a": [1]}, "an object"),
        ("abc", "text"),
        (3, "a number"),
        (True, "a boolean"),
    ],
)
def test_a_map_over_what_is_no_list_fails_the_run_and_names_both_steps(
    value: Any, kind: str
) -> None:
    flow = Flow("f").step("a", **gives(value)).map("m", "double", depends_on="a")
    result = run(flow, handlers=HANDLERS)
    assert not result.success
    assert result.errors == {
        "m": f'Map step "m" needs a list, but step "a" returned {kind}; return a list from there.'
    }
    assert result.outputs == {"a": value}


def test_a_root_map_over_what_is_no_list_fails_the_run_and_names_the_flow() -> None:
    result = run(Flow("f").map("m", "double"), {"items": [1]}, handlers=HANDLERS)
    assert result.errors == {
        "m": 'Map step "m" needs a list, but the input of flow "f" is an object; return a list'
        " from there."
    }


@pytest.mark.parametrize(
    ("elements", "batch_size", "ops"),
    [(5, 2, 3), (4, 4, 1), (3, 100, 1), (3, 1, 3), (101, None, 17)],
)
def test_a_batch_of_elements_is_one_op(elements: int, batch_size: int | None, ops: int) -> None:
    flow = Flow("f").map("m", "index", batch_size=batch_size)
    result = run(flow, ["x"] * elements, handlers=HANDLERS)
    assert result.executions["m"] == ops
    assert result.outputs["m"] == [[index, "x"] for index in range(elements)]
    assert [task.index for task in result.tasks["m"]] == list(range(elements))
    assert result.fans_out == {"m__fan_out": {"m": (elements, ops)}}


def test_a_step_may_depend_on_a_map_and_on_what_the_map_depends_on() -> None:
    flow = (
        Flow("f")
        .step("a", "echo")
        .map("m", "double", depends_on="a")
        .step("b", "count", depends_on="m")
        .step("c", "echo", depends_on=["m", "b", "a"])
    )
    result = run(flow, [1, 2], handlers=HANDLERS)
    assert result.outputs["c"] == {"m": [2, 4], "b": 2, "a": [1, 2]}


def test_a_step_may_join_several_maps() -> None:
    flow = (
        Flow("f")
        .map("m", "double")
        .map("n", "echo")
        .map("o", "echo", depends_on="n")
        .step("b", "echo", depends_on=["m", "n", "o"])
    )
    result = run(flow, [1, 2], handlers=HANDLERS)
    assert result.outputs["b"] == {"m": [2, 4], "n": [1, 2], "o": [1, 2]}


def test_a_map_after_a_step_after_a_map() -> None:
    flow = (
        Flow("f")
        .map("m", "double")
        .step("mid", "again", depends_on="m")
        .map("n", "double", depends_on="mid")
    )
    result = run(flow, [1, 2], handlers=HANDLERS | {"again": lambda value: value["m"]})
    assert result.outputs["n"] == [4, 8]
    assert result.helpers == ["m__fan_out", "n__collect"]


def test_a_map_whose_handler_is_missing_fails_with_what_to_do() -> None:
    result = run(Flow("f").map("m"), [1])
    assert 'Step "m" has no handler' in result.error


def test_one_failed_task_fails_the_map_and_the_report_tells_which() -> None:
    flow = Flow("f", max_attempts=1).map("m", "divide", batch_size=3)
    result = run(flow, [1, 0, 2], handlers={"divide": lambda value: 1 / value})
    assert not result.success
    assert [(task.index, task.status) for task in result.tasks["m"]] == [
        (0, "completed"),
        (1, "failed"),
        (2, "completed"),
    ]
    assert 'step "m[1]"' in result.error

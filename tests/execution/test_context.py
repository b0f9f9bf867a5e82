"""What a handler can ask about the step it works for."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import TAG_RUN_ID
from dagster_pgflow.runtime.context import StepContext
from tests.execution.harness import gives, run

RUN_ID = "0197a1b2-0000-7000-8000-000000000001"


def asks(value: Any, ctx: StepContext) -> Any:
    return ctx.flow_input


def tells(value: Any, ctx: StepContext) -> dict[str, Any]:
    return {
        "flow": ctx.flow_slug,
        "step": ctx.step_slug,
        "path": ctx.step_path,
        "task": ctx.task_index,
        "attempt": ctx.attempt,
        "params": ctx.params,
        "run": ctx.run_id,
        "key": ctx.idempotency_key,
    }


HANDLERS: dict[str, Callable[..., Any]] = {"asks": asks, "tells": tells}


def test_the_context_says_where_the_task_stands() -> None:
    child = Flow("child").map("m", "tells", params={"p": 1})
    flow = Flow("f").step("a", "tells").subflow("s", child)
    outputs = run(
        flow, [8, 9], others=[child], handlers=HANDLERS, tags={TAG_RUN_ID: RUN_ID}
    ).outputs
    at_the_top = {"flow": "f", "step": "a", "path": "a", "task": 0, "attempt": 1, "params": {}}
    assert outputs["a"] == at_the_top | {"run": RUN_ID, "key": f"{RUN_ID}:a:0"}
    inside = {"flow": "child", "step": "m", "path": "s.m", "attempt": 1, "params": {"p": 1}}
    assert outputs["s.m"] == [
        inside | {"task": task, "run": RUN_ID, "key": f"{RUN_ID}:s.m:{task}"} for task in (0, 1)
    ]


@pytest.mark.parametrize("value", [None, 0, [], {"n": 1}, "text"])
def test_every_step_may_ask_for_the_flow_input(value: Any) -> None:
    flow = (
        Flow("f")
        .step("begin", "asks")
        .step("list", **gives([1]))
        .map("mapped", "asks", depends_on="list")
        .map("again", "asks", depends_on="mapped")
        .step("last", "asks", depends_on="again")
    )
    outputs = run(flow, value, handlers=HANDLERS).outputs
    assert outputs["begin"] == outputs["last"] == value
    assert outputs["mapped"] == outputs["again"] == [value]


def test_a_root_map_may_ask_for_the_list_that_it_maps_over() -> None:
    assert run(Flow("f").map("m", "asks"), [1, 2], handlers=HANDLERS).outputs == {
        "m": [[1, 2], [1, 2]]
    }


def asking() -> Flow:
    return (
        Flow("child")
        .step("x", "asks")
        .step("list", **gives([1]))
        .map("m", "asks", depends_on="list")
        .step("y", "asks", depends_on=["x", "m"])
    )


@pytest.mark.parametrize(
    ("deps", "expected"),
    [
        ([], [5]),
        (["a"], {"a": 1}),
        (["a", "b"], {"a": 1, "b": 2}),
        (["m"], {"m": [5]}),
        (["m", "a"], {"m": [5], "a": 1}),
        (["t"], {"t": {"x": [5]}}),
        (["t", "m"], {"t": {"x": [5]}, "m": [5]}),
    ],
)
def test_inside_a_subflow_the_flow_input_is_what_its_step_receives(
    deps: list[str], expected: Any
) -> None:
    child, other = asking(), Flow("other").step("x", "echo")
    flow = (
        Flow("f")
        .step("a", **gives(1))
        .step("b", **gives(2))
        .map("m", "echo")
        .subflow("t", other)
        .subflow("s", child, depends_on=deps)
    )
    outputs = run(flow, [5], others=[child, other], handlers=HANDLERS).outputs
    assert outputs["s.x"] == outputs["s.y"] == expected
    assert outputs["s.m"] == [expected]


@pytest.mark.parametrize("deps", [[], ["a"], ["a", "b"], ["m"], ["m", "a"]])
def test_a_flow_within_a_flow_sees_the_input_of_its_own_level(deps: list[str]) -> None:
    leaf = Flow("leaf").step("x", "asks").step("y", "asks", depends_on="x")
    middle = (
        Flow("middle")
        .step("z", "asks")
        .subflow("begin", leaf)
        .subflow("behind", leaf, depends_on="z")
    )
    flow = (
        Flow("f")
        .step("a", **gives(1))
        .step("b", **gives(2))
        .map("m", "echo")
        .subflow("s", middle, depends_on=deps)
    )
    outputs = run(flow, [5], others=[leaf, middle], handlers=HANDLERS).outputs
    all_given = {"a": 1, "b": 2, "m": [5]}
    given = {dep: all_given[dep] for dep in deps} if deps else [5]
    assert outputs["s.z"] == given
    assert outputs["s.begin.x"] == outputs["s.begin.y"] == given
    assert outputs["s.behind.x"] == outputs["s.behind.y"] == {"z": given}


def test_the_flow_input_is_there_behind_a_skipped_step() -> None:
    flow = Flow("f").step("a", "echo", if_={"never": 1}).step("b", "asks", depends_on="a")
    assert run(flow, {"n": 1}, handlers=HANDLERS).outputs == {"b": {"n": 1}}


def test_resources_of_the_code_location_are_there() -> None:
    def shout(value: Any, ctx: StepContext) -> str:
        return f"{ctx.resources.greeting} {value}"

    result = run(
        Flow("f").step("a", "shout"),
        "world",
        handlers={"shout": shout},
        resources={"greeting": dg.ResourceDefinition.hardcoded_resource("hello")},
    )
    assert result.outputs == {"a": "hello world"}


def test_the_log_goes_to_dagster(capfd: pytest.CaptureFixture[str]) -> None:
    def logs(value: Any, ctx: StepContext) -> None:
        ctx.log.info("counted %s beans", value)

    assert run(Flow("f").step("a", "logs"), 7, handlers={"logs": logs}).success
    assert "counted 7 beans" in capfd.readouterr().err


def test_params_are_those_of_the_step() -> None:
    handlers = {"params": lambda _value, ctx: ctx.params}
    flow = Flow("f").step("a", "params", params={"x": [None]}).step("b", "params")
    assert run(flow, handlers=handlers).outputs == {"a": {"x": [None]}, "b": {}}


def test_a_run_without_a_request_is_known_by_its_dagster_id() -> None:
    handlers = {"id": lambda _value, ctx: ctx.run_id}
    first, second = (run(Flow("f").step("a", "id"), handlers=handlers).outputs["a"] for _ in "ab")
    assert len(first) == len(second) == 36
    assert first != second

"""Map steps that keep going: an element that fails for good leaves an error in its place."""

import asyncio

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.step_errors import NonRetryable
from tests.execution.harness import run


def refuse_odd_ones(value: int, ctx: StepContext) -> int:
    if value % 2:
        raise ValueError(f"{value} is odd")
    return value * 10


HANDLERS = {"m": refuse_odd_ones}


def message(index: int, attempt: int, said: str) -> str:
    return f'Handler "m" of step "m[{index}]" (flow "f", attempt {attempt}) raised {said}'


@pytest.mark.parametrize("batch_size", [1, 2, 4])
def test_the_step_completes_with_the_errors_in_their_places(batch_size: int) -> None:
    flow = Flow("f", base_delay=0, max_attempts=2).map(
        "m", batch_size=batch_size, collect_errors=True
    )
    result = run(flow.step("after", "echo", depends_on="m"), [0, 1, 2], handlers=HANDLERS)
    error = result.outputs["m"][1]["error"]
    assert error["message"].startswith(f"{message(1, 2, 'ValueError: 1 is odd')} (tests/")
    assert error["attempts"] == 2
    assert result.outputs["m"] == [0, {"error": error}, 20]
    assert result.outputs["after"] == {"m": [0, {"error": error}, 20]}
    assert {task.index: task.status for task in result.tasks["m"]} == {
        0: "completed",
        1: "failed",
        2: "completed",
    }


def test_all_elements_may_fail() -> None:
    flow = Flow("f", max_attempts=1).map("m", collect_errors=True)
    result = run(flow, [1, 3], handlers=HANDLERS)
    assert result.success
    assert [list(element) for element in result.outputs["m"]] == [["error"], ["error"]]


def test_attempts_are_made_before_an_error_is_collected() -> None:
    tries: list[int] = []

    def fail_once(value: int) -> int:
        tries.append(value)
        if len(tries) == 1:
            raise ValueError
        return value

    flow = Flow("f", base_delay=0).map("m", collect_errors=True)
    assert run(flow, [7], handlers={"m": fail_once}).outputs == {"m": [7]}


def test_what_must_not_be_tried_again_is_collected_at_once() -> None:
    def refuse(value: int) -> int:
        raise NonRetryable("never")

    result = run(Flow("f").map("m", collect_errors=True), [7], handlers={"m": refuse})
    [told] = result.outputs["m"]
    assert told["error"]["message"].startswith(message(0, 1, "NonRetryable: never ("))
    assert told["error"]["attempts"] == 1


def test_what_is_no_list_fails_the_run_all_the_same() -> None:
    result = run(Flow("f").map("m", collect_errors=True), {"no": "list"}, handlers=HANDLERS)
    assert not result.success
    assert "needs a list" in result.error


def test_a_handler_that_is_not_there_fails_the_run_all_the_same() -> None:
    result = run(Flow("f").map("m", "nowhere", collect_errors=True), [1])
    assert not result.success
    assert "nowhere" in result.error


def test_a_timeout_is_an_error_too() -> None:
    async def slow(value: int) -> None:
        await asyncio.sleep(30)

    flow = Flow("f", max_attempts=1, timeout=1).map("m", collect_errors=True)
    [element] = run(flow, [1], handlers={"m": slow}).outputs["m"]
    assert "took longer than its timeout of 1 s" in element["error"]["message"]

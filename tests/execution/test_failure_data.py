"""What a step receives that merges its input and goes on after another one failed."""

from typing import Any

from dagster_pgflow.model.flow import Flow
from tests.execution.harness import run

PLAIN = Flow("f", max_attempts=1).step("s", "echo")


def boom(given: Any) -> Any:
    raise ValueError("no")


def mended(flow: Flow, others: tuple[Flow, ...] = ()) -> Any:
    result = run(flow, {"x": 1}, others=others, handlers={"boom": boom})
    assert result.success
    return result.outputs["h"]


def test_it_is_what_the_failed_step_had_received_with_the_error_laid_over() -> None:
    flow = PLAIN.step("b", "boom", depends_on="s", merge_input=True, on_failure="h")
    given = mended(flow.step("h", "echo", depends_on="b", merge_input=True))
    assert given.pop("error").keys() == {"cell", "message"}
    assert given == {"x": 1}


def test_of_a_join_it_is_what_those_returned_that_are_no_members() -> None:
    flow = (
        PLAIN.step("a", "boom", depends_on="s")
        .step("b", "echo", depends_on="s")
        .join("j", depends_on=["s", "a", "b"], members=["a", "b"], on_failure="h", merge_input=True)
        .step("h", "echo", depends_on="j", merge_input=True)
    )
    given = mended(flow)
    [failed] = given.pop("join-error")
    assert failed["cell"] == "a"
    assert "raised ValueError: no (" in failed["message"]
    assert given == {"x": 1}


def test_a_subflow_step_that_keeps_its_input_hands_it_on() -> None:
    child = Flow("g", max_attempts=1).step("x", "boom")
    flow = PLAIN.subflow(
        "p", "g", depends_on="s", merge_input=True, keep_input=True, on_failure="h"
    ).step("h", "echo", depends_on="p", merge_input=True)
    given = mended(flow, (child,))
    assert (given["x"], given["error"]["cell"]) == (1, "p")


def test_it_is_not_what_the_failed_handler_made_of_it() -> None:
    def spoil(given: Any) -> Any:
        given["s"]["x"] = object()
        raise ValueError("no")

    flow = PLAIN.step("b", "spoil", depends_on="s", on_failure="h")
    flow = flow.step("h", "echo", depends_on="b", merge_input=True)
    result = run(flow, {"x": 1}, handlers={"spoil": spoil})
    assert result.outputs["h"]["s"] == {"x": 1}

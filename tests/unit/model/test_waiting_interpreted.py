"""What the interpreter that others are compared with makes of steps that wait."""

from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from tests.reference.endings import SOME_TIME
from tests.reference.expected_run import ExpectedRun
from tests.reference.interpreter import interpret
from tests.reference.waiting import LATE, Answer, Answers

HANDLERS = {"h": lambda call: call.value, "boom": lambda _: 1 / 0}


def run(flow: Flow, answers: Answers | None = None, *inner: Flow) -> ExpectedRun:
    return interpret(flow, {one.slug: one for one in inner}, HANDLERS, {"n": 1}, answers)


def statuses(expected: ExpectedRun) -> dict[str, str]:
    return {path: end.status for path, end in expected.steps.items()}


def test_without_an_answer_the_run_waits_and_the_others_go_on() -> None:
    flow = Flow("f").approval("ask", prompt="?").step("pay", "h", depends_on="ask").step("log", "h")
    expected = run(flow)
    assert expected.status == "waiting"
    assert statuses(expected) == {"ask": "waiting", "pay": "created", "log": "completed"}


def test_with_an_answer_it_goes_on() -> None:
    flow = Flow("f").approval("ask", prompt="?").step("pay", "h", depends_on="ask")
    expected = run(flow, {"ask": Answer(False, "ann")})
    answered = {"answer": False, "answered_by": "ann", "answered_at": SOME_TIME}
    assert expected.status == "completed"
    assert expected.output == {"pay": {"ask": answered}}


@pytest.mark.parametrize(
    ("given", "status", "output"),
    [
        ({"on_deadline": "continue"}, "completed", {"timed_out": True}),
        (
            {"on_deadline": "continue", "default_answer": 0},
            "completed",
            {"timed_out": True, "answer": 0},
        ),
        ({"on_deadline": "skip"}, "skipped", None),
        ({}, "failed", None),
    ],
)
def test_a_deadline_that_passes_ends_it(given: dict[str, Any], status: str, output: Any) -> None:
    flow = Flow("f").wait("w", signal="s", deadline=5, **given)
    end = run(flow, {"w": LATE}).steps["w"]
    assert (end.status, end.output) == (status, output)


def test_a_deadline_may_lead_to_a_step() -> None:
    flow = Flow("f").wait("w", signal="s", deadline=5, on_timeout="late")
    flow = flow.step("late", "h", depends_on="w").step("paid", "h", depends_on="w")
    assert statuses(run(flow, {"w": LATE})) == {
        "w": "failed",
        "late": "completed",
        "paid": "skipped",
    }


def test_a_join_with_enough_does_not_wait() -> None:
    flow = Flow("f").sleep("s", seconds=1).step("a", "h")
    flow = flow.join("j", depends_on=["s", "a"], wait="any").step("b", "h", depends_on="j")
    expected = run(flow)
    assert expected.status == "waiting"
    assert statuses(expected) == {
        "s": "waiting",
        "a": "completed",
        "j": "completed",
        "b": "completed",
    }


def test_a_subflow_is_under_way_while_something_in_it_waits() -> None:
    inner = Flow("g").sleep("s", seconds=1)
    flow = Flow("f").subflow("sub", "g").step("b", "h", depends_on="sub")
    assert statuses(run(flow, None, inner)) == {
        "sub.s": "waiting",
        "sub": "started",
        "b": "created",
    }
    assert run(flow, {"sub.s": Answer()}, inner).status == "completed"


def test_a_run_that_fails_waits_no_more() -> None:
    flow = Flow("f").sleep("s", seconds=1).step("a", "boom", max_attempts=1)
    assert statuses(run(flow)) == {"s": "cancelled", "a": "failed"}

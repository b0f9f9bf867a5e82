"""Steps that wait in runs inside an op: of a subflow step, of items in items, of iterations."""

import dagster as dg
import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.runtime.values import Skipped
from tests.execution.small_flows import HANDLERS
from tests.execution.waiting_runs import WaitingRun

SUCCESS, FAILURE = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE
ANSWERED = {"answer": "yes", "answered_by": "kim", "answered_at": "2030-03-17T17:46:50Z"}
CHILD = (
    Flow("child")
    .step("come", "echo")
    .approval("ask", prompt="${$nodes.come}?", depends_on="come")
    .step("pay", "echo", depends_on="ask")
    .step("note", "echo", depends_on="come")
)


def waiting_run(flow: Flow, *others: Flow) -> WaitingRun:
    return WaitingRun(flow, others, HANDLERS)


def test_a_run_inside_a_step_goes_on_where_it_waited() -> None:
    flow = Flow("top").subflow("order", "child", mode="run").step("end", "echo", depends_on="order")
    run = waiting_run(flow, CHILD)
    assert run.start("x") is SUCCESS
    assert (run.waiting, run.held) == ([], ["end", "order"])
    [asked] = run.waits.asked.values()
    assert (asked.path, asked.prompt, asked.run_id) == ("order.ask", "x?", run.runs[0].run_id)
    run.waits.answer("order.ask", "yes")
    assert run.go_on() is SUCCESS
    assert run.executed == ["end", "order"]
    assert run.executed_inside() == ["ask", "pay"]
    assert run.output("end") == {"order": {"pay": {"ask": ANSWERED}, "note": {"come": "x"}}}
    assert len(run.waits.asked) == 1


def test_it_waits_as_often_as_its_steps_do() -> None:
    child = (
        Flow("child")
        .step("come", "echo")
        .approval("first", prompt="?", depends_on="come")
        .wait("second", signal="s", depends_on="first")
        .step("end", "echo", depends_on=["second", "come"])
    )
    run = waiting_run(Flow("top").subflow("order", "child", mode="run"), child)
    run.start("x")
    run.go_on()
    assert run.executed_inside() == ["end", "first", "second"]
    run.waits.answer("order.first", "yes")
    run.go_on()
    run.waits.answer("order.second", "yes")
    run.go_on()
    assert run.executed_inside() == ["end", "second"]
    assert run.output("order") == {"end": {"second": ANSWERED, "come": "x"}}


def test_a_run_in_a_run_goes_on_with_it() -> None:
    middle = Flow("middle").subflow("inner", "child", mode="run").step("other", "echo")
    run = waiting_run(Flow("top").subflow("outer", "middle", mode="run"), CHILD, middle)
    run.start("x")
    assert run.waits.open == ["outer.inner.ask"]
    run.waits.answer("outer.inner.ask", "yes")
    assert run.go_on() is SUCCESS
    inner = {"pay": {"ask": ANSWERED}, "note": {"come": "x"}}
    assert run.output("outer") == {"inner": inner, "other": "x"}


def test_items_that_are_runs_wait_each_by_itself() -> None:
    flow = (
        Flow("top")
        .subflow("each", "child", over="$input", mode="run")
        .step("end", "echo", depends_on="each")
    )
    run = waiting_run(flow, CHILD)
    run.start(["a", "b"])
    assert run.waits.open == ["each[0].ask", "each[1].ask"]
    run.waits.answer("each[1].ask", "yes")
    run.go_on()
    assert run.executed == ["each[0]", "each[1]", "each__output", "end"]
    run.waits.answer("each[0].ask", "yes")
    run.go_on()
    assert run.executed == ["each[0]", "each__output", "end"]
    paid = {"pay": {"ask": ANSWERED}}
    assert run.output("end") == {
        "each": [{**paid, "note": {"come": "a"}}, {**paid, "note": {"come": "b"}}]
    }


@pytest.mark.parametrize("fails", [False, True])
def test_items_of_which_one_op_does_all_wait_each_by_itself(fails: bool) -> None:
    child = (
        Flow("child")
        .step("twice", "double")
        .approval("ask", prompt="?", depends_on="twice")
        .step("end", "echo", depends_on="ask")
    )
    middle = Flow("middle").subflow("each", "child", over="$input", mode="run")
    if fails:
        middle = (
            Flow("middle")
            .subflow("each", "child", over="$input", mode="run", on_failure="sorry")
            .step("sorry", "echo", depends_on="each")
        )
    run = waiting_run(Flow("top").subflow("lists", "middle", over="$input"), child, middle)
    third = [13] if fails else [3]
    assert run.start([[1, 2, *third]]) is SUCCESS
    wanted = ["lists[0].each[0].ask", "lists[0].each[1].ask"]
    assert run.waits.open == wanted + ([] if fails else ["lists[0].each[2].ask"])
    run.waits.answer("lists[0].each[0].ask", "yes")
    assert run.go_on() is SUCCESS
    inside = len(run.instance.get_runs())
    run.waits.answer("lists[0].each[1].ask", "yes")
    run.waits.answer("lists[0].each[2].ask", "yes")
    assert run.go_on() is SUCCESS
    # Of the items that were done, or had failed, none ran again.
    assert len(run.instance.get_runs()) - inside == (2 if fails else 3)
    [found] = run.output("lists__output")
    if fails:
        told = found["sorry"]["each"]
        assert "no thirteen" in told["error"]
        # The item failed in a run before the one that tells of it.
        assert [entry["step"] for entry in told["child_trace"]] == ["[2].twice"]
    else:
        assert found == {"each": [{"end": {"ask": ANSWERED}}] * 3}


def test_where_a_flow_has_failed_no_item_in_it_is_waited_for() -> None:
    """One op does all items of a list, and one of them fails the flow that the list is in."""
    child = Flow("child").step("twice", "double").approval("ask", prompt="?", depends_on="twice")
    middle = Flow("middle").subflow("each", "child", over="$input", mode="run")
    flow = (
        Flow("top")
        .subflow("lists", "middle", over="$input", on_failure="sorry")
        .step("sorry", "echo", depends_on="lists")
    )
    run = waiting_run(flow, child, middle)
    assert run.start([[13, 1]]) is SUCCESS
    assert (run.waiting, run.held) == ([], [])
    assert "no thirteen" in run.output("sorry")["lists"]["error"]


def test_a_run_inside_does_not_wait_for_what_lies_in_a_subflow_that_failed() -> None:
    """Also when it goes on, and the failure was told of in the run before."""
    paid = Flow("paid").step("twice", "double").approval("ask", prompt="?")
    middle = (
        Flow("middle")
        .subflow("inner", "paid", on_failure="sorry")
        .step("sorry", "echo", depends_on="inner")
        .approval("other", prompt="?")
    )
    flow = (
        Flow("top").subflow("outer", "middle", mode="run").step("end", "echo", depends_on="outer")
    )
    run = waiting_run(flow, paid, middle)
    assert run.start(13) is SUCCESS
    assert run.held == ["end", "outer"]
    run.waits.answer("outer.other", "yes")
    assert run.go_on() is SUCCESS
    assert (run.waiting, run.held) == ([], [])
    found = run.output("end")["outer"]
    assert "no thirteen" in found["sorry"]["inner"]["error"]
    assert found["other"] == ANSWERED


def test_a_run_inside_does_not_wait_for_what_lies_in_an_item_that_failed() -> None:
    paid = Flow("paid").step("twice", "double").approval("ask", prompt="?")
    middle = (
        Flow("middle")
        .subflow("each", "paid", over="$input", on_failure="sorry")
        .step("sorry", "echo", depends_on="each")
    )
    run = waiting_run(Flow("top").subflow("outer", "middle", mode="run"), paid, middle)
    assert run.start([13, 1]) is SUCCESS
    assert run.held == ["outer"]
    run.waits.answer("outer.each[1].ask", "yes")
    assert run.go_on() is SUCCESS
    assert (run.waiting, run.held) == ([], [])
    assert "no thirteen" in run.output("outer")["sorry"]["each"]["error"]


def test_iterations_that_are_runs_go_on_where_they_waited() -> None:
    body = (
        Flow("body")
        .step("draft", "echo")
        .approval("review", prompt="Good?", depends_on="draft")
        .loop(
            "again",
            back_to="draft",
            depends_on="review",
            condition="output.answer == 'no'",
            max_iterations=3,
        )
        .step("end", "echo", depends_on="again")
    )
    run = waiting_run(Flow("top").subflow("each", "body", over="$input"), body)
    assert run.start(["x"]) is SUCCESS
    assert run.waits.open == ["each[0].again[1].review"]
    run.waits.answer("each[0].again[1].review", "no")
    assert run.go_on() is SUCCESS
    assert run.waits.open == ["each[0].again[2].review"]
    run.waits.answer("each[0].again[2].review", "yes")
    assert run.go_on() is SUCCESS
    assert run.executed_inside() == ["again", "review"]
    assert run.output("each__output") == [{"end": {"again": ANSWERED}}]


def test_a_failure_after_the_wait_is_that_of_the_step_around() -> None:
    child = (
        Flow("child")
        .step("come", "echo")
        .approval("ask", prompt="?", depends_on="come")
        .step("bad", "fail", depends_on="ask")
    )
    flow = (
        Flow("top")
        .subflow("order", "child", mode="run", on_failure="sorry")
        .step("sorry", "echo", depends_on="order")
        .step("well", "echo", depends_on="order")
    )
    run = waiting_run(flow, child)
    run.start()
    run.waits.answer("order.ask", "yes")
    assert run.go_on() is SUCCESS
    told = run.output("sorry")["order"]
    assert "no money" in told["error"]
    trace = {one["step"]: one["status"] for one in told["child_trace"]}
    assert trace == {"come": "completed", "ask": "completed", "bad": "failed"}
    assert isinstance(run.output("well"), Skipped)


def test_a_run_inside_that_somebody_deleted_while_it_waited_does_not_begin_anew() -> None:
    run = waiting_run(Flow("top").subflow("order", "child", mode="run"), CHILD)
    run.start("x")
    [inside] = [one for one in run.instance.get_runs() if one.run_id != run.runs[0].run_id]
    run.instance.delete_run(inside.run_id)
    run.waits.answer("order.ask", "yes")
    assert run.go_on() is FAILURE
    assert run.error == (
        f"Run {inside.run_id} was deleted in Dagster while a step in it waited, so nobody knows"
        ' which steps of "order" are done; start a new run.'
    )

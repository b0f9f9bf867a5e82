"""Steps that wait, and what stands behind them, in one Dagster run and in those that go on."""

import dagster as dg

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.runtime.values import Skipped, Waiting
from dagster_pgflow.step_path import StepPath
from tests.execution.small_flows import HANDLERS
from tests.execution.waiting_runs import WaitingRun

SUCCESS, FAILURE = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE
ANSWERED = {"answer": "yes", "answered_by": "kim", "answered_at": "2030-03-17T17:46:50Z"}
EXPENSE = (
    Flow("expense")
    .step("check", "echo")
    .step("log", "echo", depends_on="check")
    .approval("ask", prompt="Approve ${$input.amount} EUR?", depends_on="check")
    .step("pay", "echo", depends_on="ask")
    .step("tell", "echo", depends_on=["pay", "log"])
)


def waiting_run(flow: Flow, *others: Flow) -> WaitingRun:
    return WaitingRun(flow, others, HANDLERS)


def test_a_run_ends_well_with_a_step_that_waits_and_everything_else_done() -> None:
    run = waiting_run(EXPENSE)
    assert run.start({"amount": 300}) is SUCCESS
    assert (run.waiting, run.held) == (["ask"], ["pay", "tell"])
    assert run.output("log") == {"check": {"amount": 300}}
    assert run.output("tell") == Waiting(StepPath("ask"))
    [asked] = run.waits.asked.values()
    assert (asked.run_id, asked.prompt) == (run.runs[0].run_id, "Approve 300 EUR?")


def test_it_goes_on_with_the_steps_that_waited_or_were_held_and_no_other() -> None:
    run = waiting_run(EXPENSE)
    run.start({"amount": 300})
    assert run.answer_and_go_on(ask="yes") is SUCCESS
    assert run.executed == ["ask", "pay", "tell"]
    assert (run.waiting, run.held) == ([], [])
    assert run.output("pay") == {"ask": ANSWERED}
    assert run.output("tell")["log"] == {"check": {"amount": 300}}
    assert list(run.waits.asked_again.values()) == [2]


def test_a_step_that_still_waits_when_its_run_goes_on_waits_for_the_same() -> None:
    flow = (
        Flow("two")
        .approval("one", prompt="One?")
        .approval("two", prompt="Two?")
        .step("a", "echo", depends_on="one")
        .step("both", "echo", depends_on=["a", "two"])
    )
    run = waiting_run(flow)
    run.start()
    assert run.waiting == ["one", "two"]
    run.answer_and_go_on(one="yes")
    assert (run.waiting, run.held) == (["two"], ["both"])
    assert run.executed == ["a", "both", "one", "two"]
    run.answer_and_go_on(two="yes")
    assert run.executed == ["both", "two"]
    assert run.output("both")["two"] == ANSWERED
    assert len(run.waits.asked) == 2


def test_a_subflow_behind_a_wait_and_one_with_a_wait_in_it_go_on() -> None:
    child = Flow("child").step("come", "echo").approval("ask", prompt="?", depends_on="come")
    flow = (
        Flow("top")
        .subflow("first", "child")
        .subflow("second", "child", depends_on="first")
        .step("end", "echo", depends_on="second")
    )
    run = waiting_run(flow, child)
    run.start({"x": 1})
    assert run.waiting == ["first.ask"]
    assert run.held == ["end", "second.ask", "second.come"]
    run.waits.answer("first.ask", "yes")
    run.go_on()
    assert (run.waiting, run.held) == (["second.ask"], ["end"])
    run.waits.answer("second.ask", "yes")
    run.go_on()
    assert run.executed == ["end", "second.ask"]
    assert run.output("end") == {"second": {"ask": ANSWERED}}


def test_each_item_of_a_list_waits_by_itself() -> None:
    child = (
        Flow("child")
        .step("come", "echo")
        .approval("ask", prompt="$input", depends_on="come")
        .step("out", "echo", depends_on="ask")
    )
    flow = (
        Flow("top")
        .subflow("each", "child", over="$input.items")
        .step("all", "echo", depends_on="each")
    )
    run = waiting_run(flow, child)
    run.start({"items": ["a", "b", "c"]})
    assert run.waiting == ["each[0].ask", "each[1].ask", "each[2].ask"]
    assert sorted(asked.prompt for asked in run.waits.asked.values()) == ["a", "b", "c"]
    run.waits.answer("each[1].ask", "yes")
    run.go_on()
    assert run.waiting == ["each[0].ask", "each[2].ask"]
    assert run.output("each.out[1]") == {"ask": ANSWERED}
    run.waits.answer("each[0].ask", "yes")
    run.waits.answer("each[2].ask", "yes")
    run.go_on()
    assert "each.out[1]" not in run.executed
    assert "each.come[0]" not in run.executed
    assert run.output("all") == {"each": [{"out": {"ask": ANSWERED}}] * 3}


def test_lists_behind_a_wait_are_as_long_as_they_are_then() -> None:
    flow = (
        Flow("top")
        .approval("ask", prompt="How many?")
        .step("list", "items", depends_on="ask")
        .map("twice", "double", depends_on="list")
        .map("again", "double", depends_on="twice", pipelined=True)
        .subflow("each", "child", depends_on="again", over="$nodes.again")
        .step("sum", "echo", depends_on=["again", "each"])
    )
    child = Flow("child").step("x", "echo")
    run = WaitingRun(flow, [child], {**HANDLERS, "items": lambda value: value["ask"]["answer"]})
    run.start()
    assert run.waiting == ["ask"]
    run.answer_and_go_on(ask=[1, 2, 3])
    assert run.waiting == []
    assert run.output("sum") == {"again": [4, 8, 12], "each": [{"x": 4}, {"x": 8}, {"x": 12}]}


def test_routes_behind_a_wait_are_decided_by_the_answer() -> None:
    flow = (
        Flow("top")
        .approval("ask", prompt="?")
        .branch(
            "which",
            depends_on="ask",
            rules=[("output.answer == 'yes'", "good")],
            default_path="bad",
        )
        .step("good", "echo", depends_on="which")
        .step("bad", "echo", depends_on="which")
        .join("end", depends_on=["good", "bad"], wait="any")
    )
    run = waiting_run(flow)
    assert run.start() is SUCCESS
    assert run.held == ["bad", "end", "good", "which"]
    run.answer_and_go_on(ask="yes")
    assert isinstance(run.output("bad"), Skipped)
    assert run.output("end") == {"good": {"which": ANSWERED}}


def test_a_join_goes_on_with_what_is_enough_and_does_not_run_again() -> None:
    flow = (
        Flow("top")
        .step("quick", "echo")
        .approval("slow", prompt="?")
        .step("behind", "echo", depends_on="slow")
        .join("any", depends_on=["quick", "behind"], wait="any")
        .join("two", depends_on=["quick", "behind"], wait=2)
        .step("end", "echo", depends_on="any")
    )
    run = waiting_run(flow)
    run.start("x")
    assert (run.waiting, run.held) == (["slow"], ["behind", "two"])
    assert run.output("end") == {"any": {"quick": "x"}}
    run.answer_and_go_on(slow="yes")
    assert run.executed == ["behind", "slow", "two"]
    assert run.output("two") == {"quick": "x", "behind": {"slow": ANSWERED}}


def test_a_loop_waits_in_each_of_its_iterations() -> None:
    flow = (
        Flow("top")
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
    run = waiting_run(flow)
    assert run.start("x") is SUCCESS
    assert run.waiting == ["again[1].review"]
    run.waits.answer("again[1].review", "no")
    assert run.go_on() is SUCCESS
    assert run.waiting == ["again[2].review"]
    run.waits.answer("again[2].review", "yes")
    assert run.go_on() is SUCCESS
    assert run.waiting == []
    assert "again__iteration_1.draft" not in run.executed
    assert run.output("end") == {"again": ANSWERED}


def test_a_loop_behind_a_wait_begins_when_that_is_over() -> None:
    flow = (
        Flow("top")
        .approval("ask", prompt="?")
        .step("draft", "echo", depends_on="ask")
        .loop("again", back_to="draft", depends_on="draft", condition="false", max_iterations=3)
        .step("end", "echo", depends_on="again")
    )
    run = waiting_run(flow)
    assert run.start() is SUCCESS
    run.answer_and_go_on(ask="yes")
    assert run.output("end") == {"again": {"ask": ANSWERED}}


def test_a_failure_beside_a_step_that_waits_fails_the_run() -> None:
    flow = (
        Flow("top")
        .approval("ask", prompt="?")
        .step("bad", "fail")
        .step("end", "echo", depends_on=["ask", "bad"])
        .step("pay", "echo", depends_on="ask")
    )
    run = waiting_run(flow)
    assert run.start() is FAILURE


def test_a_failure_that_is_caught_goes_on_at_once_whatever_waits_in_the_subflow() -> None:
    child = (
        Flow("child")
        .step("bad", "fail")
        .approval("ask", prompt="?")
        .step("pay", "echo", depends_on=["ask", "bad"])
        .step("pack", "echo", depends_on="ask")
    )
    flow = (
        Flow("top")
        .subflow("order", "child", on_failure="sorry")
        .step("sorry", "echo", depends_on="order")
        .step("well", "echo", depends_on="order")
    )
    run = waiting_run(flow, child)
    assert run.start() is SUCCESS
    assert "no money" in run.output("sorry")["order"]["error"]
    assert run.waiting == ["order.ask"]
    run.waits.answer("order.ask", "yes")
    assert run.go_on() is SUCCESS
    assert run.executed == ["order.ask", "order.pack"]


def test_a_deadline_fails_the_step_and_leads_where_it_says() -> None:
    flow = (
        Flow("top")
        .approval("ask", prompt="Pay?", deadline=60, on_timeout="late", on_failure="bad")
        .step("late", "echo", depends_on="ask")
        .step("bad", "echo", depends_on="ask")
        .step("pay", "echo", depends_on="ask")
    )
    run = waiting_run(flow)
    run.start()
    run.waits.pass_deadline("ask")
    assert run.go_on() is SUCCESS
    assert run.output("late")["ask"]["error"] == 'Step "ask" waited 60 s in vain for: Pay?'
    assert isinstance(run.output("bad"), Skipped)
    assert isinstance(run.output("pay"), Skipped)


def test_a_deadline_fails_the_run_where_nothing_else_is_said() -> None:
    run = waiting_run(Flow("top").wait("ask", signal="paid", deadline=60))
    run.start()
    run.waits.pass_deadline("ask")
    assert run.go_on() is FAILURE


def test_a_deadline_has_the_step_skipped_or_go_on_with_a_default() -> None:
    flow = (
        Flow("top")
        .approval("ask", prompt="?", deadline=60, on_deadline="skip")
        .wait("paid", signal="s", deadline=60, on_deadline="continue", default_answer={"a": 1})
        .wait("exhausted", signal="s", deadline=60, when_exhausted="skip")
        .step("end", "echo", depends_on=["ask", "paid", "exhausted"])
    )
    run = waiting_run(flow)
    run.start()
    for slug in ("ask", "paid", "exhausted"):
        run.waits.pass_deadline(slug)
    assert run.go_on() is SUCCESS
    assert run.output("ask") == Skipped("handler_failed", run.output("ask").step)
    assert run.output("end") == {"paid": {"timed_out": True, "answer": {"a": 1}}}


def test_a_cancelled_wait_fails_its_step() -> None:
    flow = Flow("top").sleep("nap", seconds=60)
    run = waiting_run(flow)
    run.start()
    run.waits.cancel("nap")
    assert run.go_on() is FAILURE
    assert "somebody cancelled its wait" in run.error


def test_a_loop_in_a_loop_waits_inside_and_is_held_as_a_whole() -> None:
    flow = (
        Flow("top")
        .approval("first", prompt="?")
        .step("outer", "echo", depends_on="first")
        .step("inner", "echo", depends_on="outer")
        .approval("ask", prompt="?", depends_on="inner")
        .loop(
            "inner_loop",
            back_to="inner",
            depends_on="ask",
            condition="output.answer == 'again'",
            max_iterations=2,
        )
        .loop(
            "outer_loop",
            back_to="outer",
            depends_on="inner_loop",
            condition="output.answer == 'once more'",
            max_iterations=2,
        )
        .step("end", "echo", depends_on="outer_loop")
    )
    run = waiting_run(flow)
    assert run.start() is SUCCESS
    assert run.waiting == ["first"]
    answers = {
        "first": "yes",
        "outer_loop[1].inner_loop[1].ask": "again",
        "outer_loop[1].inner_loop[2].ask": "once more",
        "outer_loop[2].inner_loop[1].ask": "yes",
    }
    for path, answer in answers.items():
        assert run.waiting == [path]
        run.waits.answer(path, answer)
        assert run.go_on() is SUCCESS
    assert (run.waiting, run.held) == ([], [])
    assert run.output("end") == {"outer_loop": ANSWERED}


def test_what_puts_inputs_and_outputs_together_is_held_too() -> None:
    child = (
        Flow("child")
        .step("come", "echo")
        .approval("ask", prompt="?", depends_on="come")
        .step("end", "give", params={"value": {"b": 2}}, depends_on="ask")
    )
    flow = (
        Flow("top")
        .step("a", "echo")
        .approval("ask", prompt="?")
        .subflow(
            "one",
            "child",
            depends_on=["a", "ask"],
            input={"x": "$nodes.a", "y": "$input", "z": "$nodes.ask.answer"},
            output={"b": "$nodes.end.b"},
        )
        .subflow("two", "child", depends_on="one", keep_input=True, run_if="input.one.b == 2")
        .step("list", "give", params={"value": [1, 2]}, depends_on="two")
        .map("each", "echo", depends_on="list")
        .join("all", depends_on=["each", "one"])
    )
    run = waiting_run(flow, child)
    assert run.start({"i": 1}) is SUCCESS
    for path in ("ask", "one.ask", "two.ask"):
        assert run.waiting == [path]
        run.waits.answer(path, "yes")
        assert run.go_on() is SUCCESS
    assert run.output("one__output") == {"b": 2}
    assert run.output("two__output") == {"one": {"b": 2}, "end": {"b": 2}}
    assert run.output("all") == {"each": [1, 2], "one": {"b": 2}}
    assert "one.come" not in run.executed


def test_a_loop_is_held_by_what_lies_outside_of_it() -> None:
    flow = (
        Flow("top")
        .step("draft", "echo")
        .approval("ask", prompt="?")
        .step("check", "echo", depends_on=["draft", "ask"])
        .loop("again", back_to="draft", depends_on="check", condition="false", max_iterations=2)
        .step("end", "echo", depends_on="again")
    )
    run = waiting_run(flow)
    assert run.start("x") is SUCCESS
    assert run.waiting == ["ask"]
    run.answer_and_go_on(ask="yes")
    assert run.output("end") == {"again": {"draft": "x", "ask": ANSWERED}}

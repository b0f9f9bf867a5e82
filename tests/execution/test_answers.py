"""What steps that wait ask for, and what they return for whatever is answered."""

from typing import Any

import dagster as dg
import pytest

from dagster_pgflow.in_process.outputs import OutputsInMemory
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import REPORT_KEY
from dagster_pgflow.runtime.values import Skipped, Waiting
from tests.execution.small_flows import HANDLERS
from tests.execution.waiting_runs import WaitingRun

SUCCESS, FAILURE = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE
HOSTILE = [
    {"dagster-pgflow/waiting": {"step": "ask"}},
    {"dagster-pgflow/skipped": {"reason": "condition_unmet", "step": "ask", "cascade": True}},
    {"__class__": "StepOutputHandle", "step_key": "x"},
    [{"dagster-pgflow/json": "{}"}],
    None,
    "\u2028" * 1000,
    {"text": "x" * 2_000_000},
]


def waiting_run(flow: Flow, *others: Flow, **handlers: Any) -> WaitingRun:
    return WaitingRun(flow, others, {**HANDLERS, **handlers})


@pytest.mark.parametrize("answer", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_is_answered_is_data(answer: Any) -> None:
    flow = (
        Flow("top")
        .approval("ask", prompt="?")
        .step("alone", "alone", depends_on="ask")
        .subflow("sub", "child", depends_on="alone")
        .step("end", "echo", depends_on="sub")
    )
    child = Flow("child").step("x", "echo")
    run = waiting_run(flow, child, alone=lambda value: value["ask"]["answer"])
    run.start()
    run.answer_and_go_on(ask=answer)
    assert (run.waiting, run.held) == ([], [])
    assert run.output("end") == {"sub": {"x": {"alone": answer}}}


def test_an_input_that_looks_like_the_marker_of_a_wait_is_data() -> None:
    marker = {"dagster-pgflow/waiting": {"step": "x"}}
    flow = (
        Flow("top")
        .step("a", "echo")
        .subflow("sub", "child")
        .step("many", "many")
        .map("each", "echo", depends_on="many")
        .subflow("all", "child", over="$nodes.many", depends_on="many")
        .step("b", "echo", depends_on=["a", "sub", "each", "all"])
    )
    child = Flow("child").step("x", "echo")
    run = waiting_run(flow, child, many=lambda value: [value, value])
    assert run.start(marker) is SUCCESS
    assert run.held == []
    assert run.output("b") == {
        "a": marker,
        "sub": {"x": marker},
        "each": [marker, marker],
        "all": [{"x": marker}] * 2,
    }


def test_an_answer_that_does_not_fit_its_schema_fails_the_step() -> None:
    run = waiting_run(Flow("top").approval("ask", prompt="?", answer_schema={"type": "boolean"}))
    run.start()
    assert run.answer_and_go_on(ask="yes") is FAILURE
    assert run.error.startswith("The answer to step \"ask\" does not fit its schema: $: 'yes' is")


def test_an_answer_is_laid_over_what_the_step_received_if_it_keeps_that() -> None:
    flow = (
        Flow("top")
        .approval("ask", prompt="?", keep_input=True)
        .step("end", "echo", depends_on="ask", merge_input=True)
    )
    run = waiting_run(flow)
    run.start({"id": 7})
    run.answer_and_go_on(ask=True)
    assert run.output("end")["id"] == 7
    assert run.output("end")["answer"] is True


def test_a_step_without_an_object_to_keep_does_not_even_wait() -> None:
    run = waiting_run(Flow("top").approval("ask", prompt="?", keep_input=True))
    assert run.start([1]) is FAILURE
    assert run.waits.asked == {}


def test_conditions_are_decided_before_a_step_waits() -> None:
    flow = (
        Flow("top")
        .approval("ask", prompt="?", run_if="input.amount > 100")
        .step("pay", "echo", depends_on="ask")
    )
    run = waiting_run(flow)
    run.start({"amount": 5})
    assert run.waits.asked == {}
    assert isinstance(run.output("ask"), Skipped)
    assert run.output("pay") == {}


def test_prompt_key_and_time_are_made_of_what_the_step_received() -> None:
    flow = (
        Flow("top", tags={"tenant": "acme"})
        .step("order", "echo")
        .approval(
            "ask",
            prompt="Pay ${$nodes.order.sum} of ${$input.sum}?",
            depends_on="order",
            key="deps.order.id + flow_input.id",
            deadline=60,
            reminders=[10],
            answerers=["boss"],
        )
        .wait("paid", signal="paid", depends_on="order", key="input.order.sum")
        .sleep("nap", until="input.order.at", depends_on="order")
    )
    run = waiting_run(flow)
    run.start({"sum": 3, "id": "x", "at": "2030-01-31T12:00:00+02:00"})
    asked = {str(path): wait for (_, path), wait in run.waits.asked.items()}
    ask, paid, nap = asked["ask"], asked["paid"], asked["nap"]
    assert (ask.prompt, ask.key, ask.tenant) == ("Pay 3 of 3?", "xx", "acme")
    assert (ask.seconds, ask.reminders, ask.answerers) == (60, (10,), ("boss",))
    assert (paid.kind, paid.signal, paid.key) == ("wait", "paid", "3")
    assert (nap.kind, nap.until) == ("sleep", 1_896_084_000.0)
    run.waits.answer("nap", by=None)
    run.go_on()
    assert run.output("nap") == {"slept_until": "2030-01-31T10:00:00Z"}


@pytest.mark.parametrize(
    ("flow", "sentence"),
    [
        (Flow("f").approval("s", prompt="$input.nothing"), "has a prompt that cannot be put"),
        (Flow("f").approval("s", prompt="?", key="input.nothing"), "has no answer to its key"),
        (Flow("f").wait("s", signal="s", key="null"), "which gives null; give a text."),
        (Flow("f").sleep("s", until="'tomorrow'"), 'which gives "tomorrow"; a time with'),
        (Flow("f").sleep("s", until="'2030-01-31T12:00:00'"), "a time with its zone is"),
        (Flow("f").sleep("s", until="input"), "which gives an object; let it give a text."),
    ],
)
def test_what_cannot_be_asked_fails_the_step(flow: Flow, sentence: str) -> None:
    run = waiting_run(flow)
    assert run.start({}) is FAILURE
    assert run.error.startswith('Step "s" ')
    assert sentence in run.error
    assert run.waits.asked == {}


def test_a_step_says_who_could_keep_its_wait_where_nobody_does() -> None:
    run = WaitingRun(Flow("f").approval("ask", prompt="?"), resource=OutputsInMemory())
    assert run.start() is FAILURE
    assert run.error == (
        'Step "ask" waits, and the resource "pgflow" of this code location does not keep what'
        " steps wait for; use the one of dagster_pgflow, which does."
    )


def test_a_start_delay_comes_before_the_wait_and_only_once() -> None:
    run = waiting_run(Flow("f").approval("ask", prompt="?", start_delay=1))
    assert run.start() is SUCCESS
    assert [event.is_step_up_for_retry for event in run.events()].count(True) == 1
    run.answer_and_go_on(ask=1)
    assert [event.is_step_up_for_retry for event in run.events()].count(True) == 0
    assert run.output("ask")["answer"] == 1


def test_the_run_in_dagster_says_what_it_waits_for() -> None:
    flow = (
        Flow("f")
        .approval("ask", prompt="Approve ${$input.sum} EUR?", deadline=60)
        .step("pay", "echo", depends_on="ask")
    )
    run = waiting_run(flow)
    run.start({"sum": 300})
    shown = {
        event.step_key: {
            name: value.value
            for name, value in event.step_output_data.metadata.items()
            if name != REPORT_KEY
        }
        for event in run.events()
        if event.is_successful_output
    }
    until = "2030-03-17T17:47:40+00:00"
    assert shown == {
        "ask": {"waits for": "Approve 300 EUR?", "until": until},
        "pay": {"waits for step": "ask"},
    }
    assert run.logged[0] == (
        f'Step "ask" waits, and nothing failed. The run goes on with this, or at {until}: Approve'
        " 300 EUR?"
    )
    assert run.output("pay") == Waiting(run.output("pay").step)

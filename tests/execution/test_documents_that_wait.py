"""Documents that ask a person, in real Dagster: small expenses are paid, large ones asked for."""

from typing import Any

import pytest

from dagster_pgflow import read_workflow
from tests.execution.harness import Handlers
from tests.execution.waiting_runs import WaitingRun
from tests.workflow_documents import document

HANDLERS: Handlers = {
    "expenses.pay": lambda _decided: "paid",
    "expenses.refuse": lambda _decided: "refused",
}


def begun(total: int) -> WaitingRun:
    run = WaitingRun(read_workflow(document("expense")), handlers=HANDLERS)
    run.start({"who": "kim", "sum": total})
    return run


def test_a_small_expense_is_paid_at_once() -> None:
    run = begun(20)
    assert (run.waiting, run.output("pay")) == ([], "paid")


@pytest.mark.parametrize(
    ("answer", "executed", "came_to"), [(True, "pay", "paid"), (False, "refuse", "refused")]
)
def test_a_large_expense_is_asked_for(answer: Any, executed: str, came_to: str) -> None:
    run = begun(300)
    assert run.waiting == ["ask"]
    [asked] = run.waits.asked.values()
    assert asked.prompt == "May kim spend 300?"
    run.answer_and_go_on(ask=answer)
    assert executed in run.executed
    assert run.output(executed) == came_to

"""Documents that ask a person, in real Dagster: small expenses are paid, large ones asked for."""

from typing import Any

import pytest

from dagster_pgflow import read_manifest, read_workflow
from tests.execution.harness import Handlers
from tests.execution.waiting_runs import WaitingRun
from tests.unit.dsl.manifest.reads import MANIFESTS
from tests.workflow_documents import document

HANDLERS: Handlers = {
    "expenses.pay": lambda _decided: "paid",
    "expenses.refuse": lambda _decided: "refused",
}
CELLS: Handlers = {
    "expenses/check": lambda _data: {"checked": True},
    "expenses/pay": lambda _data: {"paid": True},
    "expenses/refuse": lambda _data: {"paid": False},
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


def manifest_begun(total: int) -> WaitingRun:
    flow = read_manifest((MANIFESTS / "expense.edn").read_text())
    run = WaitingRun(flow, handlers=CELLS)
    run.start({"who": "kim", "sum": total})
    return run


def test_a_manifest_pays_a_small_expense_at_once() -> None:
    run = manifest_begun(20)
    assert run.waiting == []
    assert run.output("end") == {"who": "kim", "sum": 20, "checked": True, "paid": True}


@pytest.mark.parametrize(("answer", "came_to"), [(True, {"paid": True}), (False, {"paid": False})])
def test_a_manifest_halts_for_a_large_one_and_has_the_answer_in_its_data(
    answer: bool, came_to: dict[str, Any]
) -> None:
    run = manifest_begun(300)
    assert run.waiting == ["ask"]
    run.answer_and_go_on(ask=answer)
    data = run.output("end")
    assert data.items() >= {"who": "kim", "sum": 300, "answer": answer, **came_to}.items()


def test_an_edge_to_halt_has_its_cell_work_again_with_the_answer() -> None:
    flow = read_manifest(
        "{:id :m :max-passes 3 :cells {:start :draft, :out :print}"
        " :edges {:start {:ask :halt, :default :out}, :out :end}"
        " :dispatches {:start [[:ask (fn [d] (nil? (:answer d)))]]}}"
    )
    handlers: Handlers = {
        "draft": lambda data: {"passes": data.get("passes", 0) + 1},
        "print": lambda data: {"printed": data["answer"]},
    }
    run = WaitingRun(flow, handlers=handlers)
    run.start({})
    assert [path.rpartition(".")[2] for path in run.waiting] == ["start_halt"]
    run.waits.answer(run.waiting[0], "thus")
    run.go_on()
    assert (run.waiting, run.output("out")["passes"], run.output("out")["printed"]) == (
        [],
        2,
        "thus",
    )

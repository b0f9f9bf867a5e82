"""The expense flow of the page about steps that wait: paid at once, approved, refused, too late."""

from typing import Any

import dagster as dg
import pytest

from dagster_pgflow.model.flow import Flow
from tests.docs.pages import PAGES, blocks_of
from tests.execution.waiting_runs import WaitingRun

SUCCESS = dg.DagsterRunStatus.SUCCESS
SMALL, LARGE = {"name": "Ann", "sum": 50}, {"name": "Ann", "sum": 500}


@pytest.fixture
def names() -> dict[str, Any]:
    """What the file of the page defines, without what stores the flow."""
    [page] = [path for path in PAGES if path.name == "waiting.md"]
    [block] = [block for block in blocks_of(page) if block.file_name == "expenses.py"]
    found: dict[str, Any] = {"__name__": "expenses"}
    written = block.text.partition("builder = ")[0]
    exec(compile(written, block.place, "exec"), found)  # noqa: S102  our own page
    return found


@pytest.fixture
def run(names: dict[str, Any]) -> WaitingRun:
    handlers = {name: names[name.removeprefix("expense.")] for name in HANDLERS}
    flow = names["expense"]
    assert isinstance(flow, Flow)
    return WaitingRun(flow, (), handlers)


HANDLERS = ("expense.read", "expense.pay", "expense.refuse")


def test_a_small_sum_is_paid_and_nobody_is_asked(run: WaitingRun) -> None:
    assert run.start(SMALL) is SUCCESS
    assert run.waiting == []
    assert run.output("pay") == "paid 50"


def test_a_large_one_is_asked_for_and_paid_when_somebody_said_yes(run: WaitingRun) -> None:
    run.start(LARGE)
    assert run.waiting == ["ask"]
    [asked] = run.waits.asked.values()
    assert asked.prompt == "May Ann spend 500?"
    assert run.answer_and_go_on(ask={"ok": True}) is SUCCESS
    assert run.output("pay") == "paid 500"


def test_it_is_refused_when_somebody_said_no(run: WaitingRun) -> None:
    run.start(LARGE)
    assert run.answer_and_go_on(ask={"ok": False}) is SUCCESS
    assert run.output("refuse") == "not paid"
    assert run.output("pay").reason == "not_taken"


def test_it_is_refused_when_nobody_said_anything(run: WaitingRun) -> None:
    run.start(LARGE)
    run.waits.pass_deadline("ask")
    assert run.go_on() is SUCCESS
    assert run.output("ask") == {"timed_out": True, "answer": {"ok": False}}
    assert run.output("refuse") == "not paid"

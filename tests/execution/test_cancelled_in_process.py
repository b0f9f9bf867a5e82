"""Runs in process whose caller is interrupted: they end as cancelled, and leave nothing behind."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dagster_pgflow import Database, Flow, execute_flow, execute_flow_async
from dagster_pgflow.testing import run_flow
from tests.execution.projecting import World, world

__all__ = ["world"]

PAYMENT = Flow("payment").step("charge").step("tell", depends_on="charge")
ORDER = (
    Flow("order")
    .step("basket")
    .subflow("payment", PAYMENT, depends_on="basket", mode="run")
    .step("send", depends_on="payment")
)


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Ctrl-C and SIGTERM do what they do in a script."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def handlers(charge: Callable[[Any], Any], called: list[str]) -> dict[str, Any]:
    """The handlers of the order; the steps that were called are noted."""

    def noting(name: str, does: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def call(given: Any) -> Any:
            called.append(name)
            return does(given)

        return call

    does: dict[str, Callable[[Any], Any]] = {
        "basket": str,
        "charge": charge,
        "tell": str,
        "send": str,
    }
    return {name: noting(name, function) for name, function in does.items()}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_as_cancelled_before_its_caller_hears_of_it(
    number: signal.Signals, world: World, database: Database
) -> None:
    released = threading.Event()

    def interrupt(_: Any) -> None:
        os.kill(os.getpid(), number)
        released.wait()  # for what Dagster does not wait for

    called: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        execute_flow(
            ORDER,
            1,
            flows=[PAYMENT],
            handlers=handlers(interrupt, called),
            database=database,
        )
    released.set()
    assert called == ["basket", "charge"]
    rows = world.sql("select step_path, status from pgflow.step_states order by step_path")
    assert dict(rows) == {
        "basket": "completed",
        "payment": "cancelled",
        "payment.charge": "cancelled",
        "payment.tell": "cancelled",
        "send": "cancelled",
    }
    assert world.sql.column("select status from pgflow.runs") == ["cancelled"]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_cancelled_task_ends_its_run_after_the_step_at_work(
    world: World, database: Database
) -> None:
    began, goes_on, called = threading.Event(), threading.Event(), list[str]()

    def charge(_: Any) -> int:
        began.set()
        goes_on.wait()
        return 1

    async def cancel() -> None:
        flow = Flow("order").step("charge").step("send", depends_on="charge")
        run = execute_flow_async(flow, 1, handlers=handlers(charge, called), database=database)
        task = asyncio.ensure_future(run)
        await asyncio.to_thread(began.wait)
        task.cancel()
        asyncio.get_running_loop().call_soon(goes_on.set)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert called == ["charge"]
    assert world.sql.column("select status from pgflow.runs") == ["cancelled"]
    rows = world.sql("select step_path, status from pgflow.step_states order by step_path")
    assert dict(rows) == {"charge": "completed", "send": "cancelled"}


@pytest.mark.parametrize("in_notebook", [False, True])
def test_what_is_cancelled_leaves_neither_files_nor_threads(
    in_notebook: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before, called = set(threading.enumerate()), list[str]()

    def interrupt(_: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    def run() -> None:
        flow = Flow("order").step("charge").step("send", depends_on="charge")
        mocked = handlers(interrupt, called)["charge"]
        with pytest.raises(KeyboardInterrupt):
            run_flow(flow, mock={"charge": mocked, "send": called.append})

    async def cell() -> None:
        # As a notebook has it: Ctrl-C is an exception in what runs, not a cancelled task.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        run()

    if in_notebook:
        asyncio.run(cell())
    else:
        run()
    for thread in set(threading.enumerate()) - before:
        thread.join()
    assert called == ["charge"]
    assert list(tmp_path.iterdir()) == []

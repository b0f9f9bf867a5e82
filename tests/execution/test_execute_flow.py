"""Flows that run in the process of whoever asks, without a database or with one."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.event_log.in_memory import InMemoryEventLogStorage
from dagster._core.storage.runs.in_memory import InMemoryRunStorage

from dagster_pgflow import Database, Flow, RunFailed, execute_flow, execute_flow_async
from dagster_pgflow.errors import ConfigurationError, InvalidFlow
from dagster_pgflow.in_process.instances import instance_in_memory
from dagster_pgflow.step_errors import ValueNotJson
from tests.execution.projecting import World, world

__all__ = ["world"]

PAYMENT = Flow("payment").step("charge").step("receipt", depends_on="charge")
CHECKOUT = (
    Flow("checkout")
    .step("basket")
    .map("price", depends_on="basket")
    .subflow("payment", PAYMENT, depends_on="price", mode="run")
    .branch("large", rules=[("output.receipt > 10", "gift")], depends_on="payment")
    .step("gift", depends_on="large")
    .step("confirm", depends_on=["payment", "price"], run_if="1 in deps.price")
)


class CardDeclined(Exception):
    """An error of a user's own."""


def decline(_bill: Any) -> None:
    """Decline the card."""
    raise CardDeclined("no money")


HANDLERS = {
    "basket": lambda order: order["lines"],
    "price": lambda line: line * 2,
    "charge": lambda bill: sum(bill["price"]),
    "receipt": lambda paid: paid["charge"],
    "gift": lambda _: "a pen",
    "confirm": lambda done: done,
}


def test_a_flow_runs_without_a_database_and_its_result_has_the_words_of_the_rows() -> None:
    result = execute_flow(CHECKOUT, {"lines": [1, 2, 4]}, flows=[PAYMENT], handlers=HANDLERS)

    assert (result.status, result.output) == ("completed", {"gift": "a pen"})
    assert result.steps["confirm"].status == "skipped"
    assert result.steps["confirm"].reason == "condition_unmet"
    assert result.steps["confirm"].skipped_by == "confirm"
    assert result.steps["payment.charge"].output == 14
    assert [task.output for task in result.tasks["price"]] == [2, 4, 8]
    [subrun] = result.subruns
    assert (subrun.path, subrun.input, subrun.output) == (
        "payment",
        {"price": [2, 4, 8]},
        {"receipt": 14},
    )
    ways = [str(edge) for edge in result.route]
    assert {"large -> gift", "payment -> payment.charge", "gift -> end"} <= {*ways}


def test_the_rows_of_a_run_in_process_are_those_of_a_run_in_a_store(
    world: World, database: Database
) -> None:
    asked: Any = {"input": {"lines": [1, 5]}, "handlers": HANDLERS}
    alone = execute_flow(CHECKOUT, flows=[PAYMENT], **asked)
    stored = execute_flow(CHECKOUT, flows=[PAYMENT], database=database, **asked)
    by_slug = execute_flow("checkout", database=world.database, instance=world.instance, **asked)

    for other in (stored, by_slug):
        assert {**vars(other), "run_id": None} == {**vars(alone), "run_id": None}
    rows = world.sql("select run_id::text, status from pgflow.runs order by id")
    assert rows == [(str(stored.run_id), "completed"), (str(by_slug.run_id), "completed")]
    outputs = world.sql.records(
        "select step_path, status, output from pgflow.step_states where run_id = %s",
        str(by_slug.run_id),
    )
    assert {row["step_path"]: row["output"] for row in outputs} == {
        path: step.output for path, step in alone.steps.items()
    }
    world.settle()
    assert world.sql.column("select is_final from pgflow.run_cursors") == [True, True]
    assert world.sql.column("select status from pgflow.runs") == ["completed", "completed"]
    # Only the Dagster that is kept is one that others leave room for.
    assert world.sql.value("select count(*) from pgflow.dagster_logs") == 1


def test_a_failure_raises_one_error_whose_cause_is_what_the_handler_raised() -> None:
    flow = Flow("order").step("charge", max_attempts=1).step("tell", depends_on="charge")
    with pytest.raises(RunFailed, match=r'"charge".*CardDeclined: no money') as raised:
        execute_flow(flow, handlers={"charge": decline})
    assert isinstance(raised.value.__cause__, CardDeclined)

    result = execute_flow(flow, handlers={"charge": decline}, raise_on_error=False)
    assert result.status == "failed"
    assert isinstance(result.exception, CardDeclined)
    assert result.steps["charge"].exception is result.exception
    assert result.steps["tell"].status == "cancelled"


def test_what_cannot_run_is_refused_with_all_problems_before_anything_runs() -> None:
    with pytest.raises(InvalidFlow) as raised:
        execute_flow(Flow("f").step("a", depends_on="b").subflow("s", "nowhere"))
    assert {"unknown-dependency", "unknown-subflow"} <= {p.code for p in raised.value.problems}
    with pytest.raises(ConfigurationError, match="give the flow itself, or the database"):
        execute_flow("f")


def test_a_document_runs_in_an_event_loop_beside_others() -> None:
    document = {
        "metadata": {"name": "greet"},
        "nodes": [{"id": "hello", "type": "function", "config": {"handler": "hello"}}],
        "edges": [],
    }

    async def hello(name: str) -> str:
        await asyncio.sleep(0)
        return f"Hello, {name}!"

    async def both() -> list[Any]:
        runs = [execute_flow_async(document, name, handlers={"hello": hello}) for name in "ab"]
        return [result.output for result in await asyncio.gather(*runs)]

    assert asyncio.run(both()) == [{"hello": "Hello, a!"}, {"hello": "Hello, b!"}]


@pytest.mark.filterwarnings("error")
def test_a_notebook_whose_event_loop_runs_may_call_the_plain_form() -> None:
    async def cell() -> Any:
        return execute_flow(Flow("f").step("a"), 1, handlers={"a": lambda n: n + 1}).output

    assert asyncio.run(cell()) == {"a": 2}


def test_an_input_that_is_no_json_is_refused_before_anything_runs() -> None:
    with pytest.raises(ValueNotJson, match='The input of flow "f"'):
        execute_flow(Flow("f").step("a"), {"at": object()})


def test_a_handler_that_asks_for_the_store_is_told_that_there_is_none() -> None:
    flow = Flow("f").step("send", max_attempts=1)
    with pytest.raises(RunFailed, match='asks the resource "pgflow" to send a signal'):
        execute_flow(flow, handlers={"send": lambda _, ctx: ctx.resources.pgflow.signal("go")})


def test_a_run_without_a_database_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "TMPDIR", "DAGSTER_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    execute_flow(CHECKOUT, {"lines": [1]}, flows=[PAYMENT], handlers=HANDLERS)
    assert list(tmp_path.iterdir()) == []


def test_a_named_instance_has_the_run(world: World) -> None:
    flow = Flow("greet", tags={"team": "docs"}).step("hello")
    result = execute_flow(
        flow, 1, handlers={"hello": lambda n: n}, instance=world.instance, tags={"why": "a test"}
    )
    run = world.instance.get_run_by_id(str(result.run_id))
    assert run is not None
    assert (run.job_name, run.status) == ("greet", dg.DagsterRunStatus.SUCCESS)
    assert run.tags["why"] == "a test"


def test_steps_that_wait_are_answered_or_leave_the_run_waiting(
    world: World, database: Database
) -> None:
    flow = (
        Flow("leave")
        .approval("ok", prompt="Leave for ${$input.who}?")
        .step("book", depends_on="ok")
    )
    handlers = {"book": lambda done: done["ok"]["answer"]}
    waiting = execute_flow(flow, {"who": "kim"}, handlers=handlers)
    assert (waiting.status, waiting.steps["ok"].waiting_for) == ("waiting", "Leave for kim?")
    assert [(wait.path, wait.status) for wait in waiting.waits] == [("ok", "open")]

    answered = execute_flow(flow, {"who": "kim"}, handlers=handlers, answers={"ok": {"yes": True}})
    assert answered.output == {"book": {"yes": True}}
    assert [wait.status for wait in answered.waits] == ["answered"]

    with pytest.raises(ConfigurationError, match="instance="):
        execute_flow(flow, handlers=handlers, database=database)
    stored = execute_flow(
        flow,
        {"who": "kim"},
        handlers=handlers,
        database=database,
        instance=world.instance,
        answers={"ok": {"yes": True}},
    )
    assert stored.output == answered.output
    assert world.one("waits")["status"] == "answered"


def test_each_run_without_an_instance_has_tables_of_its_own_also_in_threads() -> None:
    def run(number: int) -> tuple[Any, int]:
        with instance_in_memory() as instance:
            flow = Flow("f").step("a")
            result = execute_flow(flow, number, handlers={"a": lambda n: n}, instance=instance)
            return result.output, instance.get_runs_count()

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(run, range(8))) == [({"a": number}, 1) for number in range(8)]


def test_copied_tables_are_those_that_dagster_makes() -> None:
    runs, events = InMemoryRunStorage(), InMemoryEventLogStorage()
    with instance_in_memory() as instance:
        for made, copied in ((runs, instance.run_storage), (events, instance.event_log_storage)):
            assert vars(made).keys() <= vars(copied).keys()
            assert _schema_of(made) == _schema_of(copied) != []
    for storage in (runs, events):
        storage._held_conn.close()


def _schema_of(storage: Any) -> list[Any]:
    asked = "select sql from sqlite_master order by sql"
    tables = storage._held_conn.exec_driver_sql(asked).all()
    version = storage._held_conn.exec_driver_sql("select * from alembic_version").all()
    return [*tables, *version]

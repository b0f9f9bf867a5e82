"""Waiting for the output of a run in Python: in threads and in event loops, on one connection."""

import asyncio
import os
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from dagster_pgflow.errors import StoreRefused, UnknownFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store import run_ends
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.requests import Requests
from dagster_pgflow.store.run_outcomes import (
    RunCancelled,
    RunFailed,
    RunTimedOut,
    RunWithoutOutput,
)
from tests.polling import poll
from tests.postgres import Session

LISTENERS = """
    select count(*) from pg_stat_activity
    where datname = current_database() and query = 'listen "pgflow_runs_ended"'
"""
END = "update pgflow.runs set status = %s, output = %s, error_message = %s where status = 'queued'"


@pytest.fixture(autouse=True)
def flow(builder: FlowBuilder) -> None:
    builder.define_flow(Flow("f").step("a"))


def end_all(sql: Session, status: str, output: str | None = None, error: str | None = None) -> None:
    """Ends the runs that are asked for, as soon as there is one."""
    poll(lambda: sql.value("select count(*) from pgflow.runs where status = 'queued'"))
    sql(END, status, output, error)


def test_the_output_is_returned(requests: Requests, sql: Session) -> None:
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(requests.run, "f", {"x": 1}, priority=3)
        end_all(sql, "completed", '{"a": [1, null]}')
        assert found.result() == {"a": [1, None]}
    assert sql.column("select priority from pgflow.run_requests") == [3]


def test_a_failed_run_raises_with_its_own_error_first(requests: Requests, sql: Session) -> None:
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(requests.run, "f")
        end_all(sql, "failed", error="ValueError: no such card")
        with pytest.raises(RunFailed) as caught:
            found.result()
    assert str(caught.value).startswith("ValueError: no such card\nThat is how run ")
    assert (caught.value.reason, caught.value.flow_slug) == ("ValueError: no such card", "f")
    assert isinstance(caught.value, RunWithoutOutput)


def test_a_cancelled_run_raises(requests: Requests, sql: Session) -> None:
    run_id = requests.start("f")
    requests.take_back(run_id, "Not needed.")
    with pytest.raises(RunCancelled, match='of flow "f" was cancelled: Not needed'):
        requests.wait_for(run_id)


@pytest.mark.parametrize("timeout", [0, -5, 0.05])
def test_when_the_time_is_over_the_run_goes_on(
    requests: Requests, sql: Session, timeout: float
) -> None:
    run_id = uuid.uuid4()
    with pytest.raises(RunTimedOut, match=r"has not ended within .* s\. It goes on") as caught:
        requests.run("f", timeout=timeout, run_id=run_id)
    assert caught.value.run_id == run_id
    sql(END, "completed", "7", None)
    assert requests.wait_for(run_id, timeout) == 7
    assert requests.run("f", run_id=run_id, timeout=float("inf")) == 7


def test_what_cannot_be_started_is_said_and_not_waited_for(requests: Requests) -> None:
    with pytest.raises(UnknownFlow):
        requests.run("nope")
    with pytest.raises(StoreRefused, match="There is no run"):
        requests.wait_for(uuid.uuid4())
    with pytest.raises(StoreRefused, match="There is no run"):
        asyncio.run(requests.wait_for_async(uuid.uuid4()))


def test_a_hundred_waits_of_one_process_need_one_connection_more(
    database: Database, sql: Session
) -> None:
    async def all_at_once() -> list[Any]:
        waits = [
            asyncio.create_task(Requests(database).run_async("f", number)) for number in range(100)
        ]
        count = "select count(*) from pgflow.runs"
        await asyncio.to_thread(poll, lambda: sql.value(count) == 100)
        listening = sql.value(LISTENERS)
        sql("update pgflow.runs set status = 'completed', output = input")
        return [listening, await asyncio.gather(*waits)]

    listening, outputs = asyncio.run(all_at_once())
    assert outputs == list(range(100))
    assert listening == 1


def test_a_wait_that_is_cancelled_leaves_the_run(database: Database, sql: Session) -> None:
    async def cancelled() -> None:
        task = asyncio.create_task(Requests(database).run_async("f"))
        count = "select count(*) from pgflow.runs"
        await asyncio.to_thread(poll, lambda: sql.value(count))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert sql.column("select status from pgflow.runs") == ["queued"]
    with pytest.raises(RunTimedOut):
        asyncio.run(
            Requests(database).wait_for_async(
                uuid.UUID(sql.value("select run_id::text from pgflow.runs")), 0.01
            )
        )


def test_a_cut_connection_is_made_again_and_nothing_is_missed(
    requests: Requests, sql: Session
) -> None:
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(requests.run, "f")
        poll(lambda: sql.value(LISTENERS))
        poll(lambda: sql.value("select count(*) from pgflow.runs"))
        sql(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
        sql(END, "completed", "1", None)
        assert found.result() == 1


def test_an_end_that_nobody_told_of_is_found_all_the_same(requests: Requests, sql: Session) -> None:
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(requests.run, "f")
        poll(lambda: sql.value("select count(*) from pgflow.runs"))
        with sql.transaction():
            sql("set local session_replication_role = replica")
            sql(END, "completed", "1", None)
        assert found.result() == 1


def test_a_forked_process_waits_for_itself(database: Database, sql: Session) -> None:
    requests = Requests(database)
    with pytest.raises(RunTimedOut):
        requests.run("f", timeout=0)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, str(requests.run("f", timeout=300)).encode())
        finally:
            os._exit(0)
    poll(lambda: sql.value("select count(*) from pgflow.runs") == 2)
    sql(END, "completed", "2", None)
    assert os.read(reading, 10) == b"2"
    os.waitpid(child, 0)


def test_the_connection_goes_when_nobody_waits_any_more(
    database: Database, sql: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_ends, "IDLE_S", 0.0)
    with pytest.raises(RunTimedOut):
        Requests(database).run("f", timeout=0)
    poll(lambda: sql.value(LISTENERS) == 0)
    assert "pgflow-run-ends" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(RunTimedOut):
        Requests(database).run("f", timeout=0)


def test_many_threads_wait_for_one_run(
    requests: Requests, sql: Session, new_session: Callable[[], Session]
) -> None:
    run_id = requests.start("f")
    with ThreadPoolExecutor(8) as pool:
        found: list[Future[Any]] = [pool.submit(requests.wait_for, run_id) for _ in range(8)]
        poll(lambda: sql.value(LISTENERS))
        new_session()(END, "completed", "[]", None)
        assert [one.result() for one in found] == [[]] * 8

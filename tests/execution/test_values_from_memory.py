"""What a step receives that the same process has just stored: the same, and never anything old."""

import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Unpack
from unittest.mock import patch

import dagster as dg
import pytest
from dagster._core.execution.api import create_execution_plan, execute_plan
from upath import UPath

from dagster_pgflow.compat import InMemoryJob, KnownExecutionState
from dagster_pgflow.errors import StoreError
from dagster_pgflow.io_manager import PgflowIOManager, in_each_run
from dagster_pgflow.location.location import Location
from dagster_pgflow.location.settings import LocationSettings
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import FLOW_INPUT
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.outputs import OutputKey, OutputStore
from dagster_pgflow.store.recent_outputs import RecentOutputs
from tests.execution.interrupted import execute, first_run, going_on
from tests.postgres import Session

RUN = "11111111-2222-3333-4444-555555555555"
CHAIN = Flow("chain").step("a", "echo").step("b", "echo", depends_on="a")
INPUT = {"inputs": {FLOW_INPUT: {"numbers": [1, 2.5, None]}}}


def echo(value: Any) -> Any:
    return value


def location(
    database: Database, url: str, *flows: Flow, **settings: Unpack[LocationSettings]
) -> Location:
    """Return a code location as users make it, with the flows stored."""
    FlowBuilder(database).define_flows(list(flows))
    handlers = settings.pop("handlers", [{"echo": echo}])
    return Location({**settings, "database_url": url, "handlers": handlers})


@contextmanager
def asked() -> Iterator[list[str]]:
    """Note for which steps' outputs the table is asked."""
    steps: list[str] = []
    get = OutputStore.get

    def noting(store: OutputStore, key: OutputKey) -> Any:
        steps.append(key.step_key)
        return get(store, key)

    with patch.object(OutputStore, "get", noting):
        yield steps


def test_a_step_in_the_same_process_gets_its_input_without_asking_the_table(
    database: Database, database_url: str, sql: Session
) -> None:
    job = location(database, database_url, CHAIN).job("chain")
    with asked() as steps:
        result = job.execute_in_process(run_config=INPUT)
    assert result.output_for_node("b") == {"a": {"numbers": [1, 2.5, None]}}
    assert steps == []
    assert sql.column("select step_key from pgflow.step_outputs order by 1") == ["a", "b"]


def test_a_handler_that_changes_its_input_changes_nothing_for_others(
    database: Database, database_url: str
) -> None:
    def spoil(value: Any) -> None:
        value["a"]["numbers"].clear()
        value["a"]["more"] = 1

    flow = (
        Flow("f")
        .step("a", "echo")
        .step("spoiler", "spoil", depends_on="a")
        .step("list", "lists")
        .map("m", "empty", depends_on="list")
        .step("b", "echo", depends_on=["a", "spoiler", "list", "m"])
    )
    handlers = {
        "echo": echo,
        "spoil": spoil,
        "lists": lambda _value: [[1], [2]],
        "empty": lambda value: value.clear(),
    }
    job = location(database, database_url, flow, handlers=[handlers]).job("f")
    with asked() as steps:
        result = job.execute_in_process(run_config=INPUT)
    given = result.output_for_node("b")
    assert given["a"] == {"numbers": [1, 2.5, None]}
    assert (given["list"], given["m"]) == ([[1], [2]], [None, None])
    assert steps == []


def test_a_new_attempt_replaces_what_is_remembered(
    database: Database, outputs: OutputStore
) -> None:
    manager = PgflowIOManager(outputs).remembering()
    context = dg.build_output_context(step_key="a", name="result", run_id=RUN)
    reading = dg.build_input_context(upstream_output=context)
    for value in ([1], [2]):
        manager.handle_output(context, value)
        assert manager.load_input(reading) == value


def test_an_output_that_could_not_be_replaced_is_what_the_table_says(
    database: Database, outputs: OutputStore
) -> None:
    manager = PgflowIOManager(outputs).remembering()
    context = dg.build_output_context(step_key="a", name="result", run_id=RUN)
    manager.handle_output(context, "old")
    with (
        patch.object(OutputStore, "put_all", side_effect=StoreError("The disk is full.")),
        pytest.raises(StoreError),
    ):
        manager.handle_output(context, "new")
    with asked() as steps:
        assert manager.load_input(dg.build_input_context(upstream_output=context)) == "old"
    assert steps == ["a"]


def test_steps_that_workers_share_see_what_the_other_one_wrote(
    database: Database, database_url: str, sql: Session
) -> None:
    """As workers of Celery do it: each executes some steps of the run, and lives on."""
    job = location(database, database_url, CHAIN).job("chain")
    in_memory = InMemoryJob(job)
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(job, run_config=INPUT, tags=job.run_tags)
        for step in ("a", "b"):
            part = create_execution_plan(
                in_memory, INPUT, step_keys_to_execute=[step], known_state=KnownExecutionState()
            )
            execute_plan(part, in_memory, instance, run, INPUT)
            sql("update pgflow.step_outputs set value = '\"by another worker\"'")
        events = [
            event.dagster_event
            for event in instance.all_logs(run.run_id)
            if event.dagster_event is not None and event.dagster_event.is_successful_output
        ]
    assert len(events) == 2
    report = events[1].step_output_data.metadata
    assert "by another worker" in str(report)


def test_what_a_run_remembers_ends_with_it(database: Database, database_url: str) -> None:
    job = location(database, database_url, CHAIN).job("chain")
    made: list[weakref.ref[RecentOutputs]] = []
    remembering = PgflowIOManager.remembering

    def noting(manager: PgflowIOManager) -> PgflowIOManager:
        one = remembering(manager)
        made.append(weakref.ref(one._recent))
        return one

    with patch.object(PgflowIOManager, "remembering", noting):
        for _ in range(2):
            assert job.execute_in_process(run_config=INPUT).success
    gc.collect()
    assert [recent() for recent in made] == [None, None]


def test_a_run_inside_a_run_remembers_for_itself(
    database: Database, database_url: str, sql: Session
) -> None:
    around = (
        Flow("around")
        .step("a", "echo")
        .subflow("inside", "chain", depends_on="a", mode="run")
        .step("b", "echo", depends_on="inside")
    )
    job = location(database, database_url, CHAIN, around).job("around")
    with dg.DagsterInstance.ephemeral() as instance, asked() as steps:
        result = job.execute_in_process(run_config=INPUT, instance=instance)
    given = {"a": {"numbers": [1, 2.5, None]}}
    assert result.output_for_node("b") == {"inside": {"b": {"a": given}}}
    assert steps == []
    assert sql.value("select count(distinct dagster_run_id) from pgflow.step_outputs") == 2


def test_a_run_that_goes_on_with_another_one_asks_the_table_for_what_that_one_did(
    database: Database, database_url: str
) -> None:
    tries: list[Any] = []

    def fail_once(value: Any) -> Any:
        tries.append(value)
        if len(tries) == 1:
            raise ValueError("once")
        return value

    flow = Flow("f", max_attempts=1).step("a", "echo").step("b", "fail_once", depends_on="a")
    handlers = {"echo": echo, "fail_once": fail_once}
    job = location(database, database_url, flow, handlers=[handlers]).job("f")
    with dg.DagsterInstance.ephemeral() as instance:
        failed = execute(instance, job, first_run(instance, job, INPUT))
        assert failed.status is dg.DagsterRunStatus.FAILURE
        with asked() as steps:
            second = execute(instance, job, going_on(instance, job, failed))
        assert second.status is dg.DagsterRunStatus.SUCCESS
    assert tries == [{"a": {"numbers": [1, 2.5, None]}}] * 2
    assert steps == ["a"]


def test_an_output_in_a_folder_is_not_read_back_either(
    database: Database, database_url: str, sql: Session, tmp_path: Path
) -> None:
    large = "é" * 1_000_000

    def unlink(value: Any) -> None:
        for path in tmp_path.rglob("*.json"):
            path.unlink()

    flow = (
        Flow("f")
        .step("a", "large")
        .step("unlinked", "unlink", depends_on="a")
        .step("b", "length", depends_on=["a", "unlinked"])
    )
    handlers = {
        "large": lambda _value: large,
        "unlink": unlink,
        "length": lambda value: len(value["a"]),
    }
    job = location(database, database_url, flow, handlers=[handlers], spill_to=UPath(tmp_path)).job(
        "f"
    )
    assert job.execute_in_process().output_for_node("b") == len(large)
    where = "select location is not null from pgflow.step_outputs where step_key = 'a'"
    assert sql.value(where) is True


def test_with_little_memory_the_table_is_asked(database: Database, database_url: str) -> None:
    for memory_bytes in (0, 1):
        manager = PgflowIOManager(OutputStore(database), memory_bytes=memory_bytes)
        for io_manager in (manager, in_each_run(manager)):
            job = location(database, database_url, CHAIN, io_manager=io_manager).job("chain")
            with asked() as steps:
                result = job.execute_in_process(run_config=INPUT)
            assert result.output_for_node("b") == {"a": {"numbers": [1, 2.5, None]}}
            assert steps == ["a"]

"""The outputs of an op that sends many: stored a few statements at a time, and never too late."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import dagster as dg
import pytest
from upath import UPath

from dagster_pgflow import io_manager
from dagster_pgflow.errors import StoreError
from dagster_pgflow.io_manager import PgflowIOManager
from dagster_pgflow.location.location import Location
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import FLOW_INPUT
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.outputs import OutputKey, OutputStore, StoredOutput
from tests.postgres import Session

MAPPED = (
    Flow("mapped")
    .step("list", "echo")
    .map("m", "tenfold", depends_on="list", batch_size=1)
    .step("sum", "add", depends_on="m")
)
HANDLERS = {
    "echo": lambda value: value,
    "tenfold": lambda value: value * 10,
    "add": lambda given: sum(given["m"]),
}


@pytest.fixture
def job(database: Database, database_url: str) -> dg.JobDefinition:
    FlowBuilder(database).define_flow(MAPPED)
    return Location({"database_url": database_url, "handlers": [HANDLERS]}).job("mapped")


def run(job: dg.JobDefinition, value: Any, instance: dg.DagsterInstance | None = None) -> Any:
    config = {"inputs": {FLOW_INPUT: value}}
    return job.execute_in_process(run_config=config, instance=instance, raise_on_error=False)


@contextmanager
def statements() -> Iterator[list[list[str]]]:
    """Note the outputs that are stored together, by step and mapping key."""
    noted: list[list[str]] = []
    put_all = OutputStore.put_all

    def noting(store: OutputStore, outputs: list[StoredOutput]) -> None:
        put_all(store, outputs)
        noted.append([f"{each.key.step_key}.{each.key.mapping_key}" for each in outputs])

    with patch.object(OutputStore, "put_all", noting):
        yield noted


def test_what_an_op_sends_to_a_map_is_stored_in_one_statement(
    job: dg.JobDefinition, sql: Session
) -> None:
    with statements() as stored:
        result = run(job, list(range(100)))
    assert result.output_for_node("sum") == sum(range(100)) * 10
    assert [len(outputs) for outputs in stored[:2]] == [1, 100]
    assert sql.value("select count(*) from pgflow.step_outputs where step_key = 'list'") == 101


def test_too_many_or_too_large_outputs_take_more_statements(
    job: dg.JobDefinition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(io_manager, "MOST_TOGETHER", 4)
    monkeypatch.setattr(io_manager, "MOST_BYTES_TOGETHER", 1000)
    values = [1, 2, 3, 4, 5, 10**940, 10**950, 8, 9]
    with statements() as stored:
        result = run(job, values)
    assert result.output_for_node("sum") == sum(values) * 10
    sent = [outputs for outputs in stored if outputs[0].startswith("list.") and len(outputs[0]) > 5]
    assert [key.partition(".")[2] for outputs in sent for key in outputs] == list("012345678")
    assert [len(outputs) for outputs in sent] == [4, 2, 1, 2]


def test_each_is_there_before_dagster_hears_of_it(job: dg.JobDefinition, sql: Session) -> None:
    missing: list[str] = []
    with dg.DagsterInstance.ephemeral() as instance:
        storage = instance.event_log_storage
        store_event = storage.store_event

        def look(event: Any) -> None:
            told = event.dagster_event
            if told is not None and told.event_type is dg.DagsterEventType.HANDLED_OUTPUT:
                query = (
                    "select count(*) from pgflow.step_outputs"
                    f" where step_key = '{told.step_key}'"
                    f" and output_name = '{told.event_specific_data.output_name}'"
                )
                if not sql.value(query):
                    missing.append(told.step_key)
            if told is not None and told.event_type is dg.DagsterEventType.STEP_SUCCESS:
                seen.append(told.step_key)
            store_event(event)

        seen: list[str] = []
        with patch.object(storage, "store_event", look):
            assert run(job, [1, 2], instance).success
    assert (missing, sorted(seen)) == ([], ["list", "m[0]", "m[1]", "sum"])


def test_trouble_with_the_store_fails_the_step_in_its_own_words(job: dg.JobDefinition) -> None:
    put_all = OutputStore.put_all

    def failing(store: OutputStore, outputs: list[StoredOutput]) -> None:
        if len(outputs) > 1:
            raise StoreError("The disk is full.")
        put_all(store, outputs)

    with patch.object(OutputStore, "put_all", failing):
        result = run(job, [1, 2, 3])
    assert not result.success
    [failure] = [event for event in result.all_events if event.is_step_failure]
    assert (failure.step_key, "The disk is full." in str(failure.event_specific_data)) == (
        "list",
        True,
    )


def test_large_elements_go_to_the_folder_and_small_ones_to_the_table(
    database: Database, database_url: str, sql: Session, tmp_path: Path
) -> None:
    manager = PgflowIOManager(OutputStore(database), UPath(tmp_path), spill_bytes=200)
    FlowBuilder(database).define_flow(MAPPED)
    location = Location(
        {"database_url": database_url, "handlers": [HANDLERS], "io_manager": manager}
    )
    values = [1, 10**300, 3]
    with statements() as stored:
        result = run(location.job("mapped"), values)
    assert result.output_for_node("sum") == sum(values) * 10
    assert ["list.0", "list.1", "list.2"] in stored
    rows = sql(
        "select mapping_key, location is null from pgflow.step_outputs"
        " where output_name = 'for_m' order by 1"
    )
    assert rows == [("0", True), ("1", False), ("2", True)]


def test_another_io_manager_gets_one_output_after_the_other(
    database: Database, database_url: str
) -> None:
    FlowBuilder(database).define_flow(MAPPED)
    settings = {"database_url": database_url, "handlers": [HANDLERS]}
    location = Location({**settings, "io_manager": dg.mem_io_manager})  # type: ignore[typeddict-item]
    assert run(location.job("mapped"), [1, 2]).output_for_node("sum") == 30


class Sending:
    """An op that sends outputs by hand, to an IO manager that remembers."""

    def __init__(self, outputs: OutputStore) -> None:
        self.outputs = outputs
        self.manager = PgflowIOManager(outputs).remembering()
        self.run_id = uuid4()

    def announce(self, *values: Any) -> None:
        sent = [
            dg.DynamicOutput(value, mapping_key=str(index), output_name="out")
            for index, value in enumerate(values)
        ]
        self.manager.announce(str(self.run_id), "a", sent)

    def send(self, index: int, value: Any, step: str = "a") -> None:
        with dg.build_output_context(
            step_key=step, name="out", run_id=str(self.run_id), mapping_key=str(index)
        ) as context:
            self.manager.handle_output(context, value)

    def stored(self, step: str = "a") -> list[Any]:
        return [
            each.value for each in self.outputs.of_run(self.run_id) if each.key.step_key == step
        ]


def test_with_the_first_all_that_were_announced_are_stored(outputs: OutputStore) -> None:
    op, values = Sending(outputs), [[0], [1], [2]]
    op.announce(*values)
    assert op.stored() == []
    with statements() as stored:
        for index, value in enumerate(values):
            op.send(index, value)
            assert op.stored() == values
    assert len(stored) == 1


def test_another_value_than_announced_is_stored_as_it_comes(outputs: OutputStore) -> None:
    op, values = Sending(outputs), [[0], [1], [2]]
    op.announce(*values)
    op.send(0, values[0])
    # A retry, say, that came to something else: equal is not enough, for it may be changed later.
    op.send(1, [1, "other"])
    op.send(2, values[2])
    assert op.stored() == [[0], [1, "other"], [2]]


def test_what_comes_out_of_order_counts_for_nothing(outputs: OutputStore) -> None:
    op, values = Sending(outputs), [[0], [1], [2]]
    op.announce(*values)
    op.send(7, "of another step", step="b")
    assert op.stored("a") == []
    for index, value in enumerate(values):
        op.send(index, value)
    assert (op.stored("a"), op.stored("b")) == (values, ["of another step"])


def test_after_a_failure_each_is_stored_again(outputs: OutputStore) -> None:
    op, values = Sending(outputs), [[0], [1]]
    op.announce(*values)
    with (
        patch.object(OutputStore, "put_all", side_effect=StoreError("The disk is full.")),
        pytest.raises(StoreError),
    ):
        op.send(0, values[0])
    for index, value in enumerate(values):
        op.send(index, value)
        assert op.stored() == values[: index + 1]


def test_an_attempt_that_sends_fewer_replaces_what_was_stored(outputs: OutputStore) -> None:
    op = Sending(outputs)
    for values in ([["old"], ["old"]], [["new"], ["new"]]):
        op.announce(*values)
        for index, value in enumerate(values):
            op.send(index, value)
    context = dg.build_output_context(
        step_key="a", name="out", run_id=str(op.run_id), mapping_key="1"
    )
    assert op.manager.load_input(dg.build_input_context(upstream_output=context)) == ["new"]
    assert outputs.get(OutputKey(op.run_id, "a", "out", "1")) is not None
    assert op.stored() == [["new"], ["new"]]

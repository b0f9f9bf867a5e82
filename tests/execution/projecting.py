"""A small world for tests of the projection: flows, real Dagster runs, and the run tables."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from typing import Any
from uuid import UUID, uuid4

import dagster as dg
import pytest

from dagster_pgflow.json_values.sealed import seal
from dagster_pgflow.location.location import Location
from dagster_pgflow.model.execution import (
    AppliedKeyRow,
    ExecutionRows,
    LoopRow,
    PendingTokenRow,
    SnapshotRow,
    StatisticsRow,
    WorkerRow,
)
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.run_state import (
    AttemptRow,
    Json,
    RunRow,
    RunState,
    StepRow,
    SubrunRow,
    TaskRow,
)
from dagster_pgflow.names import TAG_RUN_ID
from dagster_pgflow.projection.fold.fold import fold
from dagster_pgflow.projection.sync.own_log import layout_in, outputs_used
from dagster_pgflow.projection.sync.projector import ProjectionResult, Projector, pins_of, project
from dagster_pgflow.projection.sync.store import ProjectionStore
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.outputs import OutputStore
from dagster_pgflow.store.requests import Requests
from dagster_pgflow.store.run_tables import RunTables
from tests.postgres import Session, as_role
from tests.unit.projection.seen_runs import assert_attempts_add_up
from tests.unit.projection.translate.tokens_add_up import (
    assert_no_step_begins_without_tokens,
    assert_statistics_equal_a_recount,
    assert_tokens_add_up,
)

Handlers = Mapping[str, Callable[..., Any]]
TABLES = {
    "applied_keys": "run_id, op_key",
    "run_counter_snapshots": "run_id, sequence_num",
    "pending_tokens": "run_id, node, from_node",
    "loop_state": "run_id, loop_path",
    "worker_registry": "run_id, worker_id",
    "run_statistics": "run_id",
    "runs": "id",
    "subruns": "parent_run_id, run_index",
    "step_states": "run_id, step_path",
    "step_tasks": "run_id, step_path, task_index",
    "node_executions": "run_id, step_path, task_index, attempt",
    "event_log": "run_id, sequence_num",
}


class World:
    """Flows of one store and runs of one Dagster instance.

    Everybody has the rights of the own role and no more: authors, starters, and the code location.
    """

    def __init__(
        self, opened: Callable[[str], Database], sql: Session, instance: dg.DagsterInstance
    ) -> None:
        database = opened("worker")
        self.database = database
        self.sql = sql
        self.instance = instance
        self.builder = FlowBuilder(opened("author"))
        self.requests = Requests(opened("starter"))
        self.waiting = Requests(database)
        self.tables = RunTables(database)
        self.store = ProjectionStore(Catalog(database), OutputStore(database), self.tables)

    def define(self, *flows: Flow) -> None:
        """Stores flows, those that others contain first.

        Here nobody goes on with a run whose process is lost: unless the flow says how often, it
        fails.
        """
        for flow in flows:
            said = flow.options.max_recoveries is not None
            options = flow.options.model_copy(update={} if said else {"max_recoveries": 0})
            self.builder.define_flow(flow.model_copy(update={"options": options}))

    def run(
        self,
        slug: str,
        handlers: Handlers,
        input: Any = None,
        *,
        run_id: UUID | None = None,
        **settings: Any,
    ) -> UUID:
        """Runs a flow in this process, to whatever end, and returns the Dagster run's id."""
        dagster_run_id = uuid4()
        tags = {} if run_id is None else {TAG_RUN_ID: str(run_id)}
        self.job(slug, handlers, **settings).execute_in_process(
            instance=self.instance,
            run_config={"inputs": {"flow_input": seal({} if input is None else input)}},
            run_id=str(dagster_run_id),
            tags=tags,
            raise_on_error=False,
        )
        return dagster_run_id

    def job(self, slug: str, handlers: Handlers, **settings: Any) -> dg.JobDefinition:
        """Returns the job of a flow, as of now."""
        url = self.database.address.dsn
        given: Any = {"handlers": [handlers], "database_url": url, **settings}
        return Location(given).job(slug)

    def project(self, **options: Any) -> ProjectionResult:
        """Does what one tick of the sensor does."""
        return project(self.instance, self.store, **options)

    def settle(self) -> None:
        """Looks at every run until no other look is needed."""
        self.project()
        self.sql("update pgflow.run_cursors set due_at = now()")
        self.project()
        assert self.sql.column("select is_final from pgflow.run_cursors where not is_final") == []

    def look_again(self) -> ProjectionResult:
        """Reads all runs anew, whether they have news or not."""
        self.sql("update pgflow.run_cursors set position = null, is_final = false, due_at = now()")
        projector = Projector(self.instance, self.store, pins_of(self.store))
        return projector.look_at_due_runs(float("inf"))

    def one(self, table: str, condition: str = "true") -> dict[str, Any]:
        """Returns the one row of a run table."""
        [row] = self.sql.records(f"select * from pgflow.{table} where {condition}")
        return row

    def by_path(self, column: str, table: str = "step_states") -> dict[str, Any]:
        """Returns a column of the steps by their paths."""
        return dict(self.sql(f"select step_path, {column} from pgflow.{table} order by step_path"))

    def subruns(self, columns: str) -> list[tuple[Any, ...]]:
        """Returns columns of the subruns in their order."""
        return self.sql(f"select {columns} from pgflow.subruns order by run_index")

    def tasks(self, path: str, column: str) -> list[Any]:
        """Returns a column of the tasks of a step."""
        return self.sql.column(
            f"select {column} from pgflow.step_tasks where step_path = %s order by task_index", path
        )

    def attempts(self, path: str) -> list[tuple[Any, ...]]:
        """Returns index, number and status of the attempts of a step's tasks."""
        return self.sql(
            "select task_index, attempt, status from pgflow.node_executions"
            " where step_path = %s order by task_index, attempt",
            path,
        )

    def event_types(self) -> list[str]:
        """Returns what happened in the one run."""
        return self.sql.column("select event_type from pgflow.event_log order by sequence_num")

    def snapshot(self) -> dict[str, list[dict[str, Any]]]:
        """Returns the contents of all run tables."""
        return {
            table: self.sql.records(f"select * from pgflow.{table} order by {order}")
            for table, order in TABLES.items()
        }

    def stored_state(self, run_id: UUID) -> RunState:
        """Returns the rows of a run as the fold returns them."""
        one = str(run_id)
        path = "(select subrun_path from pgflow.subruns as s where s.subrun_id = t.subrun_id)"
        parent = (
            "(select subrun_path from pgflow.subruns as s where s.subrun_id = t.parent_subrun_id)"
        )
        [run] = self._rows(RunRow, "runs", "t.run_id = %s", one)
        return RunState(
            run,
            tuple(
                self._rows(
                    SubrunRow,
                    "subruns",
                    "t.parent_run_id = (select id from pgflow.runs where run_id = %s)",
                    one,
                    parent_path=parent,
                )
            ),
            tuple(self._rows(StepRow, "step_states", "t.run_id = %s", one, subrun_path=path)),
            tuple(self._rows(TaskRow, "step_tasks", "t.run_id = %s", one, subrun_path=path)),
            tuple(
                self._rows(AttemptRow, "node_executions", "t.run_id = %s", one, subrun_path=path)
            ),
        )

    def stored_execution(self, run_id: UUID) -> ExecutionRows:
        """Returns the rows of a run in the tables of execution, as the fold returns them."""

        def rows(kind: Any, table: str) -> tuple[Any, ...]:
            return tuple(self._rows(kind, table, "t.run_id = %s", str(run_id)))

        statistics = rows(StatisticsRow, "run_statistics")
        return sorted_execution(
            ExecutionRows(
                rows(AppliedKeyRow, "applied_keys"),
                rows(SnapshotRow, "run_counter_snapshots"),
                rows(PendingTokenRow, "pending_tokens"),
                rows(LoopRow, "loop_state"),
                rows(WorkerRow, "worker_registry"),
                statistics[0] if statistics else None,
            )
        )

    def folded_state(self, run_id: UUID) -> RunState:
        """Returns what the stored event log of a run adds up to."""
        pins = pins_of(self.store)
        events = self.tables.events(run_id)
        runs = outputs_used(pins, self.tables, events)
        outputs = Projector(self.instance, self.store, pins)._outputs(events, runs)
        return fold(layout_in(pins, events), events, outputs)

    def _rows(
        self, kind: Any, table: str, condition: str, run_id: str, **special: str
    ) -> list[Any]:
        nullable = {field.name for field in fields(kind) if field.type == Json | None}
        columns = ", ".join(
            f"{special.get(name, f't.{name}')}{'::text' if name in nullable else ''} as {name}"
            for name in (field.name for field in fields(kind))
        )
        found = self.sql.records(
            f"select {columns} from pgflow.{table} as t where {condition}", run_id
        )
        return [
            kind(**{name: _value(name, value, nullable) for name, value in row.items()})
            for row in found
        ]


def _value(name: str, value: Any, nullable: set[str]) -> Any:
    """Returns a column's value; text of a JSON column tells null from no value."""
    if value is None:
        return None
    if name in nullable:
        return Json(json.loads(value))
    return UUID(str(value)) if name in ("run_id", "dagster_run_id", "retry_of") else value


def sorted_state(state: RunState) -> RunState:
    """Returns the same rows in an order that SQL and the fold agree on."""
    return RunState(
        state.run,
        tuple(sorted(state.subruns, key=lambda row: row.run_index)),
        tuple(sorted(state.steps, key=lambda row: row.step_path)),
        tuple(sorted(state.tasks, key=lambda row: (row.step_path, row.task_index))),
        tuple(sorted(state.attempts, key=lambda row: (row.step_path, row.task_index, row.attempt))),
    )


def sorted_execution(execution: ExecutionRows) -> ExecutionRows:
    """Returns the same rows in an order that SQL and the fold agree on."""
    return ExecutionRows(
        tuple(sorted(execution.applied, key=lambda row: row.op_key)),
        tuple(sorted(execution.snapshots, key=lambda row: row.sequence_num)),
        tuple(sorted(execution.pending, key=lambda row: (row.node, row.from_node))),
        tuple(sorted(execution.loops, key=lambda row: row.loop_path)),
        tuple(sorted(execution.workers, key=lambda row: row.worker_id)),
        execution.statistics,
    )


def assert_log_is_sound(world: World, dagster_run_id: UUID) -> None:
    """Checks that the log is whole, adds up to the rows, and comes out the same again."""
    run_id = world.tables.run_id_of(dagster_run_id)
    assert run_id is not None
    assert_log_adds_up_to_rows(world, run_id)
    before = world.snapshot()
    world.look_again()
    assert world.snapshot() == before


def assert_states_add_up(world: World) -> None:
    """Checks that all logs are whole, add up to the rows, and come out the same again."""
    for run_id in world.sql.column("select run_id from pgflow.runs"):
        assert_log_adds_up_to_rows(world, UUID(str(run_id)))
    before = world.snapshot()
    world.look_again()
    assert world.snapshot() == before


def assert_log_adds_up_to_rows(world: World, run_id: UUID) -> None:
    """Checks that no event is missing or without a cause, and that all add up to the rows."""
    events = world.tables.events(run_id)
    assert [event.sequence_num for event in events] == list(range(1, len(events) + 1))
    known: set[UUID | None] = {None}
    for event in events:
        assert event.parent_event_id in known
        known.add(event.event_id)
    folded = world.folded_state(run_id)
    stored = sorted_state(world.stored_state(run_id))
    assert sorted_state(folded) == stored
    assert_attempts_add_up(stored)
    assert world.stored_execution(run_id) == sorted_execution(folded.execution)
    assert_tokens_add_up(events, folded)
    assert_statistics_equal_a_recount(events, folded)
    assert_no_step_begins_without_tokens(events, folded)


@contextmanager
def opened_world(database: Database, sql: Session, instance: dg.DagsterInstance) -> Iterator[World]:
    """A world whose connections are closed after it."""
    databases: list[Database] = []

    def opened(role: str) -> Database:
        databases.append(Database(as_role(database.address.dsn, role)))
        return databases[-1]

    yield World(opened, sql, instance)
    for one in databases:
        one.close()


@pytest.fixture
def world(database: Database, sql: Session) -> Iterator[World]:
    """A store of this test's own, and a Dagster instance in memory."""
    with (
        dg.DagsterInstance.ephemeral() as instance,
        opened_world(database, sql, instance) as world,
    ):
        yield world

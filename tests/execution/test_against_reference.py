"""Random flows, run in real Dagster and projected into real tables, mean what the rules say.

`make test` runs a hundred of them, the same each time. To go through a thousand new ones:
`pytest tests/execution/test_against_reference.py --hypothesis-profile=deep`.
"""

import json
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from types import FrameType
from typing import Any
from uuid import UUID, uuid4

import dagster as dg
from hypothesis import HealthCheck, given, settings

from dagster_pgflow.compiler.emit_job import JobEmitter, JobSettings
from dagster_pgflow.io_manager import PgflowIOManager
from dagster_pgflow.model.step import SubflowStep
from dagster_pgflow.resources import PgflowResource
from dagster_pgflow.runtime.handlers import HandlerRegistry
from dagster_pgflow.runtime.op_bodies import IO_MANAGER_KEY, PGFLOW_KEY
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.outputs import OutputStore
from dagster_pgflow.store.pinned_flows import PinnedFlows
from tests.execution.projecting import World, sorted_state
from tests.postgres import Session
from tests.reference.drawing import TOP, Drawn, drawn_runs
from tests.reference.handlers import Notes, noted, reached, reference_handlers
from tests.reference.interpreter import Told, interpret

ENDED = ("completed", "skipped")
FLOWS = settings().max_examples
LONGEST_RUN_S = 15
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def assert_sound(database: Database, sql: Session, drawn: Drawn) -> None:
    told = interpret(drawn.flows[-1], drawn.by_slug, reference_handlers(), drawn.input)
    notes = Notes()
    with dg.DagsterInstance.ephemeral() as instance:
        world = World(database, sql, instance)
        world.define(*drawn.flows)
        run_id = execute(world, notes, drawn.input)
        run = instance.get_run_by_id(str(run_id))
        assert run is not None
        assert run.is_success == (told.status == "completed")
        assert_same_calls(notes, told)
        assert world.project().problems == []
        world.settle()
        assert_rows_tell(world, run_id, drawn, told)
        assert_log_tells(world, run_id)


@settings(
    max_examples=FLOWS,
    derandomize=FLOWS <= 100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(drawn_runs())
def test_a_run_does_and_tells_what_the_rules_say(
    database: Database, sql: Session, drawn: Drawn
) -> None:
    assert_sound(database, sql, drawn)


def execute(world: World, notes: Notes, flow_input: Any) -> UUID:
    """Runs the flow in this process and returns the run's id."""
    catalog = Catalog(world.database)
    flows = PinnedFlows(catalog, catalog.watermark())
    resources = {
        PGFLOW_KEY: PgflowResource(world.database),
        IO_MANAGER_KEY: PgflowIOManager(OutputStore(world.database)),
    }
    handlers = HandlerRegistry.collect([notes.handlers()])
    jobs = JobEmitter(flows, handlers, JobSettings(resources, dg.in_process_executor))
    dagster_run_id = uuid4()
    with within(LONGEST_RUN_S):
        jobs.job(TOP, flows.tags(TOP)).execute_in_process(
            instance=world.instance,
            run_config={"inputs": {"flow_input": flow_input}, **QUIET},
            run_id=str(dagster_run_id),
            raise_on_error=False,
        )
    return dagster_run_id


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Ends a run that goes on for ever, as Dagster's executor may, and says so."""
    too_long: list[TimeoutError] = []

    def give_up(_signal: int, _frame: FrameType | None) -> None:
        # Dagster takes this for a failure of the run, so it is raised again behind the run.
        too_long.append(TimeoutError("The run does not end."))
        raise too_long[0]

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    if too_long:
        raise too_long[0]


def assert_same_calls(notes: Notes, told: Told) -> None:
    wanted = [noted(call) for call in told.calls if reached(call)]
    assert_equal(Counter(map(text_of, notes.calls)), Counter(map(text_of, wanted)))
    assert all(len(keys) == 1 for keys in notes.keys.values())
    assert len({key for [key] in notes.keys.values()}) == len(notes.keys)


def assert_rows_tell(world: World, run_id: UUID, drawn: Drawn, told: Told) -> None:
    tops = [told.steps[step.slug] for step in drawn.flows[-1].steps]
    run = world.one("runs", f"run_id = '{run_id}'")
    assert run["status"] == told.status
    assert same(run["output"], told.output)
    assert same(run["input"], drawn.input)
    assert run["remaining_steps"] == sum(end.status not in ENDED for end in tops)
    failed = {path for path, end in told.steps.items() if end.status == "failed"}
    assert (run["error_message"] is None) == (told.status == "completed")
    assert told.status == "completed" or first_quoted(run["error_message"]) in failed
    assert_steps(world, run_id, drawn, told)
    assert_tasks(world, run_id, told)
    assert_subruns(world, run_id, told)


def assert_log_tells(world: World, run_id: UUID) -> None:
    events = world.tables.events(run_id)
    assert [event.sequence_num for event in events] == list(range(1, len(events) + 1))
    known: set[UUID | None] = {None}
    for event in events:
        assert event.parent_event_id in known
        known.add(event.event_id)
    assert sorted_state(world.folded_state(run_id)) == sorted_state(world.stored_state(run_id))


def assert_steps(world: World, run_id: UUID, drawn: Drawn, told: Told) -> None:
    rows = rows_by_path(world, "step_states", run_id)
    assert_equal(
        {path: (row["status"], row["skip_reason"]) for path, row in rows.items()},
        {path: (end.status, end.skip_reason) for path, end in told.steps.items()},
    )
    for path, end in told.steps.items():
        row = rows[path]
        assert (row["output_text"] is not None) == (end.status == "completed"), path
        assert end.status != "completed" or same(json.loads(row["output_text"]), end.output), path
        said = end.status == "failed" or end.skip_reason == "handler_failed"
        assert (row["error_message"] is not None) == said, path
        assert end.status != "completed" or row["remaining_tasks"] == 0
        if row["step_type"] == "map" and end.status != "cancelled":
            assert row["initial_tasks"] == len(end.tasks), path
        if end.status == "completed":
            assert row["created_at"] <= row["started_at"] <= row["completed_at"]
    for path, deps in deps_by_path(drawn).items():
        left = sum(told.steps[dep].status not in ENDED for dep in deps)
        assert rows[path]["remaining_deps"] == left, path


def assert_tasks(world: World, run_id: UUID, told: Told) -> None:
    rows = world.sql.records(
        "select *, output::text as output_text from pgflow.step_tasks where run_id = %s",
        str(run_id),
    )
    wanted = {
        (path, index): task
        for path, end in told.steps.items()
        for index, task in enumerate(end.tasks)
    }
    found = {(row["step_path"], row["task_index"]): row for row in rows}
    assert_equal(
        {task: (row["status"], row["attempts_count"]) for task, row in found.items()},
        {key: (task.status, task.attempts) for key, task in wanted.items()},
    )
    for key, task in wanted.items():
        row = found[key]
        assert (row["output_text"] is not None) == (task.status == "completed"), key
        assert task.status != "completed" or same(json.loads(row["output_text"]), task.output), key
        assert (row["error_message"] is not None) == (task.status == "failed"), key


def assert_subruns(world: World, run_id: UUID, told: Told) -> None:
    rows = world.sql.records(
        """
        with recursive placed as (
          select subrun.*, subrun.parent_step_slug as path, subrun.subrun_index::text as numbers
          from pgflow.subruns as subrun
          join pgflow.runs as run on run.id = subrun.parent_run_id
          where run.run_id = %s and subrun.parent_subrun_id is null
          union all
          select
            subrun.*,
            placed.path || '.' || subrun.parent_step_slug,
            placed.numbers || '.' || subrun.subrun_index
          from pgflow.subruns as subrun
          join placed on placed.subrun_id = subrun.parent_subrun_id
        )
        select *, input::text as input_text, output::text as output_text
        from placed
        order by run_index
        """,
        str(run_id),
    )
    assert [row["run_index"] for row in rows] == list(range(1, len(rows) + 1))
    assert all(row["subrun_path"] == row["numbers"] for row in rows)
    found = {row["path"]: row for row in rows}
    assert found.keys() == told.subruns.keys()
    for path, began in told.subruns.items():
        row, end = found[path], told.steps[path]
        assert row["status"] == end.status, path
        assert same(row["output"], end.output), path
        assert (row["input_text"] is not None) == (began is not None), path
        assert began is None or same(json.loads(row["input_text"]), began.input), path


def rows_by_path(world: World, table: str, run_id: UUID) -> dict[str, dict[str, Any]]:
    rows = world.sql.records(
        f"select *, output::text as output_text from pgflow.{table} where run_id = %s", str(run_id)
    )
    return {row["step_path"]: row for row in rows}


def deps_by_path(drawn: Drawn) -> dict[str, list[str]]:
    def within(slug: str, scope: str) -> Iterator[tuple[str, list[str]]]:
        for step in drawn.by_slug[slug].steps:
            yield f"{scope}{step.slug}", [f"{scope}{dep}" for dep in step.depends_on]
            if isinstance(step, SubflowStep):
                yield from within(step.flow, f"{scope}{step.slug}.")

    return dict(within(TOP, ""))


def assert_equal(found: Mapping[Any, Any], wanted: Mapping[Any, Any]) -> None:
    """Compares key by key, to say only what differs."""
    keys = found.keys() | wanted.keys()
    differing = {key for key in keys if found.get(key) != wanted.get(key)}
    assert not differing, "\n".join(
        f"{key}: found {found.get(key)}, wanted {wanted.get(key)}" for key in differing
    )


def first_quoted(sentence: str) -> str:
    return sentence.split('"')[1]


def same(found: Any, wanted: Any) -> bool:
    """Says whether two values are the same JSON, whatever the order of keys."""
    return text_of(found) == text_of(wanted)


def text_of(value: Any) -> str:
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: Any) -> Any:
    """Returns a value with numbers as jsonb has them: 1e22 has all its digits, zero no sign."""
    match value:
        case float():
            whole = value.is_integer() and abs(value) >= 1e16
            return int(Decimal(repr(value))) if whole else value + 0.0
        case list() | tuple():
            return [_plain(item) for item in value]
        case Mapping():
            return {key: _plain(item) for key, item in value.items()}
        case _:
            return value

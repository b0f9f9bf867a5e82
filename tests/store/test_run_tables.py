"""What the projection writes, and what it leaves alone."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg2
import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.run_cursor import FoundRun, NextLook, RunCursor
from dagster_pgflow.reports.report import FanOut
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.run_tables import RunTables
from tests.postgres import Session
from tests.sql_work import CountingDatabase
from tests.unit.projection.seen_runs import NOON, RUN_ID, SeenRun, batch, completed, task

INNER = Flow("inner").step("x")
TOP = Flow("top").step("a").subflow("s", "inner", depends_on="a").subflow("t", "inner")
STORY = SeenRun([TOP, INNER]).then("run_started").does("a", 1)
GOES_ON = NextLook("1", is_over=False, is_final=False, pause=0)
STATES = {
    "runs": "id",
    "subruns": "subrun_id",
    "step_states": "step_path",
    "step_tasks": "step_path, task_index",
    "node_executions": "step_path, task_index, attempt",
    "event_log": "sequence_num",
}
"""The tables, and what the order of their rows is within a run."""


@pytest.fixture
def tables(database: Database) -> RunTables:
    tables = RunTables(database)
    tables.register([FoundRun(RUN_ID, None, NOON)], "runs", {})
    return tables


def due(tables: RunTables) -> RunCursor:
    [cursor] = tables.due(tables.clock(), 10, None)
    return cursor


def save(tables: RunTables, seen: SeenRun, *, rewrite: bool = False) -> bool:
    return tables.save(due(tables), seen.state(), seen.events(), GOES_ON, rewrite=rewrite)


def versions(sql: Session) -> dict[str, list[str]]:
    """Returns which transaction wrote each row, table by table."""
    return {
        table: sql.column(f"select xmin::text from pgflow.{table} order by {order}")
        for table, order in STATES.items()
    }


def test_rows_that_have_not_changed_are_not_written_again(tables: RunTables, sql: Session) -> None:
    assert save(tables, STORY)
    before = versions(sql)
    assert save(tables, STORY)
    assert versions(sql) == before


def test_new_events_are_added_behind_the_others(tables: RunTables, sql: Session) -> None:
    save(tables, STORY)
    before = versions(sql)["event_log"]
    longer = STORY.does("s.x", 2)
    save(tables, longer)
    assert versions(sql)["event_log"][: len(before)] == before
    numbers = sql.column("select sequence_num from pgflow.event_log order by 1")
    assert numbers == list(range(1, len(longer.events()) + 1))


def test_an_event_that_turns_up_late_finds_its_place(tables: RunTables, sql: Session) -> None:
    late = STORY.does("s.x", 2).does("t.x", 3)
    early = replace(late, run_events=tuple(s for s in late.run_events if s.step_key != "s.x"))
    save(tables, early)
    save(tables, late)
    stored = [event.event_id for event in tables.events(RUN_ID)]
    assert stored == [event.event_id for event in late.events()]


def test_stored_events_are_those_that_were_written(tables: RunTables) -> None:
    save(tables, STORY)
    assert list(tables.events(RUN_ID)) == STORY.events()


def test_numbers_stay_and_have_no_gaps(tables: RunTables, sql: Session) -> None:
    save(tables, STORY)
    ids = sql("select subrun_path, subrun_id from pgflow.subruns order by 1")
    for _ in range(3):
        save(tables, STORY.does("s.x"), rewrite=True)
        save(tables, STORY)
    assert sql("select subrun_path, subrun_id from pgflow.subruns order by 1") == ids
    other = replace(STORY.state().run, run_id=uuid4(), dagster_run_id=uuid4())
    tables.register([FoundRun(other.run_id, None, NOON)], "runs", {})
    cursor = RunCursor(other.run_id, None, 0, end_seen=False, failures=0)
    tables.save(cursor, replace(STORY.state(), run=other), [], GOES_ON)
    assert sql.column("select id from pgflow.runs order by 1") == [1, 2]
    assert sql.column("select subrun_id from pgflow.subruns order by 1") == [1, 2, 3, 4]


def test_whoever_is_late_writes_nothing(tables: RunTables, sql: Session) -> None:
    cursor = due(tables)
    assert tables.save(cursor, STORY.state(), STORY.events(), GOES_ON)
    before = versions(sql)
    later = STORY.does("s.x")
    assert not tables.save(cursor, later.state(), later.events(), GOES_ON)
    assert versions(sql) == before


def test_a_failed_write_leaves_the_cursor_where_it_was(tables: RunTables, sql: Session) -> None:
    cursor = due(tables)
    sql("alter table pgflow.event_log add constraint none check (event_type <> 'step.completed')")
    with pytest.raises(Exception, match="none"):
        tables.save(cursor, STORY.state(), STORY.events(), GOES_ON)
    assert due(tables) == cursor
    assert sql("select from pgflow.runs") == []


def test_a_run_is_due_again_when_dagster_changes_it(tables: RunTables) -> None:
    final = NextLook("1", is_over=True, is_final=True, pause=0)
    tables.save(due(tables), STORY.state(), STORY.events(), final)
    tables.register([FoundRun(RUN_ID, None, NOON)], "runs", {})
    assert tables.due(tables.clock(), 10, None) == ()
    tables.register([FoundRun(RUN_ID, None, NOON + timedelta(seconds=1))], "runs", {})
    assert due(tables).end_seen


def test_the_position_of_a_sensor_comes_back(tables: RunTables) -> None:
    assert tables.position("other") is None
    tables.register([], "other", {"changed_at": "today"})
    assert tables.position("other") == {"changed_at": "today"}


def test_an_attempt_that_was_told_too_soon_goes_again(tables: RunTables, sql: Session) -> None:
    save(tables, STORY.fails("s.x", task(0, "failed")).then("started", "s.x"))
    rows = "select step_path, attempt, status from pgflow.node_executions order by 1, 2"
    assert sql(rows) == [("a", 1, "completed"), ("s.x", 1, "failed"), ("s.x", 2, "started")]
    save(tables, STORY)
    assert sql(rows) == [("a", 1, "completed")]


def test_an_attempt_inside_a_subflow_names_its_subrun(tables: RunTables, sql: Session) -> None:
    save(tables, STORY.does("s.x"))
    assert sql(
        "select execution.step_path, execution.step_slug, execution.flow_slug, subrun.subrun_path"
        " from pgflow.node_executions as execution"
        " left join pgflow.subruns as subrun using (subrun_id) order by 1"
    ) == [("a", "a", "top", None), ("s.x", "x", "inner", "2")]


def test_attempts_go_with_their_run(tables: RunTables, sql: Session) -> None:
    save(tables, STORY)
    sql("delete from pgflow.runs")
    assert sql("select from pgflow.node_executions") == []


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("attempt = 0", "attempts_count_from_one"),
        ("duration_ms = -1", "duration_is_nonnegative"),
        ("status = 'queued'", "status_is_valid"),
        ("status = 'started'", "an_attempt_that_is_over_has_an_end"),
        ("duration_ms = null", "an_end_has_a_duration"),
        ("error = 'no'", "only_a_failed_attempt_has_an_error"),
        ("task_index = 1", "node_executions_run_id_step_path_task_index_fkey"),
    ],
)
def test_attempts_that_make_no_sense_are_refused(
    tables: RunTables, sql: Session, change: str, constraint: str
) -> None:
    save(tables, STORY)
    with pytest.raises(psycopg2.IntegrityError, match=constraint):
        sql(f"update pgflow.node_executions set {change}")


def test_ten_thousand_tasks_are_written_by_a_few_statements(
    counting: CountingDatabase, sql: Session
) -> None:
    count = 10_000
    flow = Flow("f").map("m", batch_size=100)
    seen = SeenRun([flow]).then(
        "succeeded",
        "m__fan_out",
        report=replace(completed(None), fans_out={"m": FanOut(count, 100, 100)}),
    )
    run_events = list(seen.run_events)
    for key in range(100):
        report = batch(key * 100, *range(100))
        [added] = seen.then("succeeded", f"m[{key}]", report=report).run_events[1:]
        run_events.append(replace(added, position=key + 2))
    seen = replace(seen, run_events=tuple(run_events))
    tables = RunTables(counting)
    tables.register([FoundRun(RUN_ID, None, NOON)], "runs", {})
    written = counting.work_of(lambda: save(tables, seen))
    assert written.statements < 100
    assert written.rows < 50 * count
    for table in ("step_tasks", "node_executions"):
        done = f"select count(*) from pgflow.{table} where status = 'completed' and step_path = 'm'"
        assert sql.value(done) == count


def test_a_requested_run_is_bound_to_the_first_dagster_run(tables: RunTables, sql: Session) -> None:
    run_id, first, second = uuid4(), uuid4(), uuid4()
    sql("insert into pgflow.runs (run_id, flow_slug) values (%s, 'f')", str(run_id))
    tables.register([FoundRun(first, run_id, NOON)], "runs", {})
    tables.register([FoundRun(second, run_id, NOON)], "runs", {})
    bound = sql.value("select dagster_run_id from pgflow.runs where run_id = %s", str(run_id))
    assert UUID(str(bound)) == first
    assert tables.run_id_of(first) == run_id
    assert tables.identity(run_id) == (first, None)

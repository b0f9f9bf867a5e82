"""What people who ask how a run is doing are told of attempts."""

from dataclasses import replace
from datetime import timedelta

import pytest

from dagster_pgflow.cli.run_tree import run_tree
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.run_cursor import FoundRun, NextLook
from dagster_pgflow.reports.report import FanOut
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.run_status import RunReport, RunStatusReader
from dagster_pgflow.store.run_tables import RunTables
from tests.postgres import Session
from tests.unit.projection.seen_runs import (
    NOON,
    RUN_ID,
    WORKER,
    SeenRun,
    completed,
    delayed,
    failed,
    task,
)

ONE = Flow("one").step("a", max_attempts=3)
MAPS = Flow("maps").map("m", batch_size=2, max_attempts=2)
FAN_OUT = replace(completed(None), fans_out={"m": FanOut(4, 2, 2)})
FLAKY = SeenRun([ONE]).then("run_started").fails("a", task(0, "failed"), delay=10.0)


@pytest.fixture
def tables(database: Database) -> RunTables:
    tables = RunTables(database)
    tables.register([FoundRun(RUN_ID, None, NOON)], "runs", {})
    return tables


def told(database: Database, tables: RunTables, seen: SeenRun) -> RunReport:
    [cursor] = tables.due(tables.clock(), 1, None)
    going_on = NextLook("1", is_over=False, is_final=False, pause=0)
    tables.save(cursor, seen.state(), seen.events(), going_on)
    return RunStatusReader(database).report(RUN_ID)


def test_a_task_that_waits_tells_why_and_until_when(database: Database, tables: RunTables) -> None:
    report = told(database, tables, FLAKY)
    [failed] = report.failed_attempts
    assert (failed.step_path, failed.task_index, failed.step_type) == ("a", 0, "single")
    assert (failed.attempt, failed.max_attempts, failed.error) == (1, 3, "no")
    assert (failed.worker_id, failed.started_at) == (WORKER, NOON)
    assert failed.failed_at == NOON + timedelta(seconds=1)
    assert failed.is_last
    assert failed.next_at == FLAKY.run_events[2].at + timedelta(seconds=10)
    [step] = report.steps
    assert (step.status, step.attempts, step.attempts_failed) == ("started", 1, 1)
    assert (step.tasks_waiting, step.next_at) == (1, failed.next_at)


def test_a_task_that_is_tried_again_waits_no_more(database: Database, tables: RunTables) -> None:
    report = told(database, tables, FLAKY.then("started", "a"))
    [failed] = report.failed_attempts
    assert (failed.attempt, failed.is_last, failed.next_at) == (1, False, None)
    [step] = report.steps
    assert (step.attempts, step.attempts_failed, step.tasks_waiting) == (2, 1, 0)
    assert step.next_at is None


def test_the_last_attempt_of_a_task_says_that_it_was_the_last(
    database: Database, tables: RunTables
) -> None:
    end = failed(replace(task(0, "failed", attempts=2), error="never"), error="never")
    seen = FLAKY.then("started", "a").then("failed", "a", error="never", report=end)
    report = told(database, tables, seen.then("run_failed"))
    first, last = report.failed_attempts
    assert (first.attempt, first.is_last) == (1, False)
    assert (last.attempt, last.max_attempts, last.error) == (2, 3, "never")
    assert (last.is_last, last.next_at) == (True, None)


def test_a_crash_is_a_failed_attempt_too(database: Database, tables: RunTables) -> None:
    seen = FLAKY.then("started", "a").then("failed", "a", error="crashed").then("run_failed")
    last = told(database, tables, seen).failed_attempts[-1]
    assert (last.attempt, last.max_attempts, last.error) == (2, 3, "crashed")


def test_a_cancelled_run_waits_for_nothing(database: Database, tables: RunTables) -> None:
    report = told(database, tables, FLAKY.then("run_cancelled"))
    assert [failed.next_at for failed in report.failed_attempts] == [None]
    assert [(step.tasks_waiting, step.next_at) for step in report.steps] == [(0, None)]


def test_a_map_goes_on_with_the_earliest_of_its_tasks(
    database: Database, tables: RunTables
) -> None:
    seen = SeenRun([MAPS], input=[1, 2, 3, 4]).then("succeeded", "m__fan_out", report=FAN_OUT)
    late = [replace(task(0, "failed"), error="late"), task(1)]
    soon = [replace(task(index, "failed"), error="soon") for index in (2, 3)]
    seen = seen.fails("m[0]", *late, delay=60.0).fails("m[1]", *soon, delay=5.0)
    report = told(database, tables, seen)
    [step] = report.steps
    assert (step.tasks, step.tasks_done, step.tasks_waiting, step.attempts_failed) == (4, 1, 3, 3)
    assert step.next_at == min(
        failed.next_at for failed in report.failed_attempts if failed.next_at
    )
    assert [failed.task_index for failed in report.failed_attempts] == [0, 2, 3]


def test_a_delayed_step_tells_until_when(database: Database, tables: RunTables) -> None:
    seen = SeenRun([ONE]).then("started", "a").waits("a", delayed(60.0))
    [step] = told(database, tables, seen).steps
    assert (step.status, step.attempts) == ("created", 0)
    assert step.next_at == seen.run_events[1].at + timedelta(seconds=60)


def test_items_are_counted_and_stand_behind_their_step(
    database: Database, tables: RunTables, sql: Session
) -> None:
    item = Flow("item").step("x").step("y", depends_on="x")
    top = Flow("top").step("a").subflow("each", "item", depends_on="a", over="a").step("b")
    FlowBuilder(database).define_flow(item)
    FlowBuilder(database).define_flow(top)
    sent = replace(completed(None), fans_out={"each": FanOut(11, 11, 1)})
    seen = SeenRun([top, item]).does("a").then("succeeded", "each__fan_out", report=sent)
    told(database, tables, seen.does("each.x[00]").does("each.y[00]").does("each.x[10]"))
    sql("update pgflow.event_log set event_data = event_data || '{\"watermark\": 9}'")
    report = RunStatusReader(database).report(RUN_ID)
    assert [step.step_path for step in report.steps] == [
        "a",
        "each",
        *(f"each[{index}].{slug}" for index in range(11) for slug in "xy"),
        "b",
    ]
    each = report.steps[1]
    assert (each.tasks, each.tasks_done, each.is_counted) == (11, 1, True)
    assert [step.is_counted for step in report.steps].count(True) == 1
    assert {step.parent_path for step in report.steps} == {"", "each"}
    shown = list(run_tree(report).columns[0].cells)
    assert [str(cell).strip("│├└─ ") for cell in shown][:4] == ["a", "each", "[1] x", "[1] y"]

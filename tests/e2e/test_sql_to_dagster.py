"""Flows that are created, started and looked at in plain SQL, and run by a real Dagster."""

from collections.abc import Callable
from typing import Any

import pytest

from dagster_pgflow.examples import FOLDER
from tests.e2e.conftest import APART, Deployment, begins_with
from tests.postgres import Session

Finished = Callable[..., dict[str, Any]]

AI_WORKFLOW = (FOLDER / "ai_workflow.sql").read_text()


@pytest.fixture(params=["in process", APART])
def sql(deployment: Deployment, request: pytest.FixtureRequest) -> Session:
    """The store whose code location runs steps in one way or the other."""
    return deployment.store_of(request.node)


def begin_a_map(deployment: Deployment, sql: Session) -> Any:
    # A process for each of 100 elements takes minutes; 6 show the same.
    count = 100 if sql is deployment.sql else 6
    sql(AI_WORKFLOW)
    run_id = sql.value(
        f"""select run_id from pgflow.start_flow('ai_workflow', '{{"count": {count}}}')"""
    )
    return run_id, count


@begins_with(begin_a_map)
def test_a_flow_made_and_started_by_sql_alone_runs_and_leaves_its_rows(
    sql: Session, begun: Any, finished: Finished
) -> None:
    run_id, count = begun
    run = finished(sql, run_id)

    doubled_sum = count * (count + 1)
    assert (run["status"], run["error_message"]) == ("completed", None)
    assert run["output"] == {"save": {"done": True, "saved": count, "sum": doubled_sum}}
    steps = sql(
        "select step_slug, status, initial_tasks, remaining_tasks, remaining_deps"
        " from pgflow.step_states where run_id = %s order by started_at",
        run_id,
    )
    assert steps == [
        ("fetch", "completed", 1, 0, 0),
        ("process", "completed", count, 0, 0),
        ("save", "completed", 1, 0, 0),
    ]
    tasks = sql(
        "select task_index, status, attempts_count, output from pgflow.step_tasks"
        " where run_id = %s and step_slug = 'process' order by task_index",
        run_id,
    )
    assert tasks == [(index, "completed", 1, 2 * (index + 1)) for index in range(count)]
    [[events, first, last]] = sql(
        "select count(*), min(sequence_num), max(sequence_num) from pgflow.event_log"
        " where run_id = %s",
        run_id,
    )
    assert (first, last) == (1, events)
    assert sql.column(
        "select event_type from pgflow.event_log where run_id = %s"
        " order by sequence_num desc limit 1",
        run_id,
    ) == ["run.completed"]
    saved = sql.value(
        "select cardinality(numbers) from pgflow_examples.results where idempotency_key like %s",
        f"{run_id}:%",
    )
    assert saved == count


def begin_a_subflow(_: Deployment, sql: Session) -> Any:
    sql("select pgflow.create_flow('inner_flow')")
    sql("select pgflow.add_step('inner_flow', 'fetch', handler => 'ai_workflow.fetch')")
    sql(
        "select pgflow.add_step('inner_flow', 'process', array['fetch'], step_type => 'map',"
        " handler => 'ai_workflow.process')"
    )
    sql("select pgflow.create_flow('outer_flow')")
    sql(
        "select pgflow.add_step('outer_flow', 'inner', step_type => 'subflow',"
        " subflow_slug => 'inner_flow')"
    )
    return sql.value("""select run_id from pgflow.start_flow('outer_flow', '{"count": 3}')""")


@begins_with(begin_a_subflow)
def test_a_subflow_made_by_sql_alone_leaves_its_subrun(
    sql: Session, begun: Any, finished: Finished
) -> None:
    run_id = begun
    run = finished(sql, run_id)

    assert run["output"] == {"inner": {"process": [2, 4, 6]}}
    subruns = sql.records(
        "select subruns.* from pgflow.subruns join pgflow.runs on runs.id = parent_run_id"
        " where run_id = %s",
        run_id,
    )
    assert [
        (s["parent_step_slug"], s["subflow_slug"], s["run_index"], s["subrun_path"], s["status"])
        for s in subruns
    ] == [("inner", "inner_flow", 1, "1", "completed")]
    assert subruns[0]["input"] == {"count": 3}
    assert subruns[0]["output"] == {"process": [2, 4, 6]}
    paths = sql.column(
        "select step_path from pgflow.step_states where run_id = %s order by step_path", run_id
    )
    assert paths == ["inner", "inner.fetch", "inner.process"]
    subrun_tasks = sql.value(
        "select count(*) from pgflow.step_tasks where run_id = %s and subrun_id = %s",
        run_id,
        subruns[0]["subrun_id"],
    )
    assert subrun_tasks == 4


def begin_a_flow_that_nobody_handles(_: Deployment, sql: Session) -> Any:
    sql("select pgflow.create_flow('lost', max_attempts => 1)")
    sql("select pgflow.add_step('lost', 'fetch', handler => 'no_such_handler')")
    sql("select pgflow.add_step('lost', 'after', array['fetch'], handler => 'ai_workflow.save')")
    return sql.value("select run_id from pgflow.start_flow('lost')")


@begins_with(begin_a_flow_that_nobody_handles)
def test_a_failing_run_says_why_and_leaves_nothing_started(
    sql: Session, begun: Any, finished: Finished
) -> None:
    run_id = begun
    run = finished(sql, run_id)

    assert run["status"] == "failed"
    assert "no_such_handler" in run["error_message"]
    states = sql(
        "select step_slug, status from pgflow.step_states where run_id = %s order by step_slug",
        run_id,
    )
    assert states == [("after", "cancelled"), ("fetch", "failed")]


def begin_a_run_with_an_id(_: Deployment, sql: Session) -> Any:
    sql("select pgflow.create_flow('once')")
    sql("select pgflow.add_step('once', 'fetch', handler => 'ai_workflow.fetch')")
    start = (
        "select run_id from pgflow.start_flow('once', '{\"count\": 1}',"
        " '6ad40b2c-8a5a-4a67-9f0b-0a8d0f3a9d11')"
    )

    return start, sql.value(start)


@begins_with(begin_a_run_with_an_id)
def test_the_same_run_id_twice_starts_one_run(
    deployment: Deployment, begun: Any, finished: Finished
) -> None:
    sql, (start, run_id) = deployment.sql, begun
    assert finished(sql, run_id)["status"] == "completed"
    assert sql.value(start) == run_id

    assert sql.value("select count(*) from pgflow.runs where flow_slug = 'once'") == 1
    tag = "dagster-pgflow/run_id"
    query = "query($f: RunsFilter!) { runsOrError(filter: $f) { ... on Runs { results { id } } } }"
    runs = deployment.dagster.ask(query, f={"tags": [{"key": tag, "value": run_id}]})
    assert len(runs["runsOrError"]["results"]) == 1

"""A live worker goes on with runs whose process was killed, and nothing that is done runs again."""

from pathlib import Path

from dagster_pgflow import Flow, FlowBuilder
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.requests import Requests
from tests.live.worker import Worker
from tests.polling import poll
from tests.postgres import Session


def wait_for_end(sql: Session) -> None:
    over = "select count(*) from pgflow.runs where status in ('completed', 'failed', 'cancelled')"
    poll(lambda: sql.value(over) == 1)


def test_a_run_whose_process_is_killed_goes_on_as_the_same_run(
    worker: Worker, builder: FlowBuilder, database: Database, sql: Session, tmp_path: Path
) -> None:
    builder.define_flow(
        Flow("f")
        .step("before", handler="double")
        .step("dies", handler="die_at_first", depends_on="before")
        .step("behind", handler="where", depends_on="dies")
    )
    Requests(database).start("f", {"n": 1, "begun": str(tmp_path / "begun")})
    wait_for_end(sql)

    [run] = sql.records("select status, error_message from pgflow.runs")
    assert run == {"status": "completed", "error_message": None}
    attempts = """
        select step_path, attempt, status from pgflow.node_executions
        order by started_at, attempt
    """
    assert sql(attempts) == [
        ("before", 1, "completed"),
        ("dies", 1, "failed"),
        ("dies", 2, "completed"),
        ("behind", 1, "completed"),
    ]
    # The handler is told so too.
    assert sql.value("select output from pgflow.step_states where step_path = 'dies'") == {
        "attempt": 2
    }
    told = "select error from pgflow.node_executions where step_path = 'dies' and attempt = 1"
    assert "signal 9" in sql.value(told)
    assert sql("select number, kind, ended_at is not null from pgflow.run_continuations") == [
        (1, "recover", True)
    ]
    events = "select event_type from pgflow.event_log where event_type like 'run.%' order by 1"
    assert [kind for (kind,) in sql(events)] == [
        "run.completed",
        "run.interrupted",
        "run.queued",
        "run.resumed",
        "run.started",
    ]


def test_a_run_that_loses_each_process_fails_in_the_end(
    worker: Worker, builder: FlowBuilder, database: Database, sql: Session
) -> None:
    builder.define_flow(Flow("f", max_recoveries=1).step("dies", handler="die"))
    Requests(database).start("f")
    wait_for_end(sql)

    [run] = sql.records("select status, error_message from pgflow.runs")
    assert run["status"] == "failed"
    assert "signal 9" in run["error_message"]
    assert sql("select attempt, status from pgflow.node_executions order by 1") == [
        (1, "failed"),
        (2, "cancelled"),
    ]

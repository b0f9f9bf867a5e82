"""Runs start the moment they are asked for, and their rows are there when they end."""

import json
from collections.abc import Mapping
from pathlib import Path

from dagster_pgflow import Flow, FlowBuilder
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.requests import Requests
from dagster_pgflow.store.triggers import Triggers
from tests.live.worker import Worker, live_worker
from tests.polling import poll
from tests.postgres import Session
from tests.web_service import Answer, web_service


def is_over(sql: Session, run_id: object) -> bool:
    status = sql.value(f"select status from pgflow.runs where run_id = '{run_id}'")
    return status not in ("queued", "started", "waiting")


def test_what_is_asked_for_runs_without_sensors_and_daemon(
    worker: Worker, builder: FlowBuilder, database: Database, sql: Session
) -> None:
    builder.define_flow(Flow("twice").step("double", handler="double"))
    run_id = Requests(database).start("twice", {"n": 21})
    poll(lambda: is_over(sql, run_id))
    [row] = sql.records(f"select status, output from pgflow.runs where run_id = '{run_id}'")
    assert row == {"status": "completed", "output": {"double": {"twice": 42}}}
    # Which Dagster has it, and that this one is there, for others that work with the store.
    assert sql.column("select log from pgflow.run_cursors") == sql.column(
        "select log from pgflow.dagster_logs where seen_at > now() - interval '1 hour'"
    )


def test_a_run_executes_the_version_that_it_was_asked_for(
    worker: Worker, builder: FlowBuilder, database: Database, sql: Session
) -> None:
    builder.define_flow(Flow("changing").step("first", handler="double"))
    early = Requests(database).start("changing", {"n": 1})
    builder.define_flow(Flow("changing").step("second", handler="double"))
    late = Requests(database).start("changing", {"n": 2})
    poll(lambda: is_over(sql, early) and is_over(sql, late))
    outputs = sql.records("select output from pgflow.runs order by id")
    assert [row["output"] for row in outputs] == [{"first": {"twice": 2}}, {"second": {"twice": 4}}]


def test_rows_follow_a_run_that_is_under_way(
    worker: Worker, builder: FlowBuilder, database: Database, sql: Session, tmp_path: Path
) -> None:
    builder.define_flow(
        Flow("long").step("one", handler="where").step("held", handler="hold", depends_on="one")
    )
    begun, until = tmp_path / "begun", tmp_path / "until"
    run_id = Requests(database).start("long", {"begun": str(begun), "until": str(until)})
    done = f"""
        select count(*) from pgflow.step_states
        where run_id = '{run_id}' and step_slug = 'one' and status = 'completed'"""
    poll(lambda: sql.value(done) == 1)
    assert not is_over(sql, run_id)
    until.touch()
    poll(lambda: is_over(sql, run_id))
    assert sql.value("select status from pgflow.runs") == "completed"


def test_a_run_whose_process_dies_fails_at_once_and_others_go_on(
    worker: Worker, builder: FlowBuilder, database: Database, sql: Session
) -> None:
    builder.define_flows(
        [
            Flow("deadly", max_recoveries=0).step("die", handler="die"),
            Flow("well").step("double", handler="double"),
        ]
    )
    requests = Requests(database)
    deadly, well = requests.start("deadly"), requests.start("well", {"n": 1})
    poll(lambda: is_over(sql, deadly) and is_over(sql, well))
    rows = sql.records(
        "select flow_slug, status, error_message from pgflow.runs order by flow_slug"
    )
    assert [row["status"] for row in rows] == ["failed", "completed"]
    assert "signal 9" in rows[0]["error_message"]


def test_the_end_of_a_run_starts_the_next_without_sensors_and_daemon(
    worker: Worker, builder: FlowBuilder, database: Database, sql: Session
) -> None:
    builder.define_flows(
        [Flow("first").step("double", handler="double"), Flow("next").step("s", handler="double")]
    )
    Triggers(database).create(
        "t",
        "run.completed",
        "next",
        source_flow="first",
        condition="event.output.double.twice > 40",
        input={"n": "$event.output.double.twice"},
    )
    for number in (20, 21):
        Requests(database).start("first", {"n": number})
    poll(lambda: sql.value("select count(*) from pgflow.runs where status = 'completed'") == 3)
    assert sql("select output from pgflow.runs where flow_slug = 'next'") == [
        ({"s": {"twice": 84}},)
    ]


def test_the_end_of_the_worker_waits_for_what_is_under_way(
    worker: Worker, builder: FlowBuilder, database: Database, sql: Session, tmp_path: Path
) -> None:
    builder.define_flow(Flow("long").step("held", handler="hold"))
    begun, until = tmp_path / "begun", tmp_path / "until"
    run_id = Requests(database).start("long", {"begun": str(begun), "until": str(until)})
    poll(begun.exists)
    worker.process.terminate()
    worker.wait_until_said("Ending: 1 runs are under way")
    until.touch()
    assert worker.exit_code() == 0
    assert is_over(sql, run_id)
    assert sql.value("select count(*) from pgflow.live_workers") == 0
    assert sql.value("select count(*) from pgflow.live_runs") == 0


def test_a_webhook_is_told_without_sensors_and_daemon(
    environment: Mapping[str, str],
    tmp_path: Path,
    builder: FlowBuilder,
    database: Database,
    sql: Session,
) -> None:
    with web_service() as service:
        url = service.on("/hook", Answer(200))
        hook = {"url": url, "secret": "mine", "allow_private": True}
        builder.define_flow(Flow("twice", on_event=hook).step("double", handler="double"))
        with live_worker(tmp_path, {**environment, "PGFLOW_SECRET_mine": "word"}):
            run_id = Requests(database).start("twice", {"n": 21})
            poll(lambda: "delivered" in sql.column("select status from pgflow.webhook_deliveries"))
        [asked] = service.asked
    assert json.loads(asked.body)["run"] == str(run_id)

"""Runs that wait go on at once where a live worker serves, and only once, whoever dies."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from dagster_pgflow import Flow, FlowBuilder
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.requests import Requests
from tests.live.worker import Worker, live_worker
from tests.polling import poll
from tests.postgres import Session

ASKS = (
    Flow("asks", max_attempts=1)
    .step("before", handler="double")
    .approval("ask", prompt="May it?", depends_on="before")
    .step("after", handler="note", depends_on="ask")
)


def status_of(sql: Session, run_id: UUID) -> Any:
    return sql.value(f"select status from pgflow.runs where run_id = '{run_id}'")


def waits(sql: Session, run_id: UUID) -> bool:
    return bool(status_of(sql, run_id) == "waiting")


def answer(sql: Session, run_id: UUID, step: str = "ask") -> None:
    sql(f"select pgflow.answer('{run_id}', '{step}', '{{\"ok\": true}}', 'ann')")


def started(sql: Session) -> list[tuple[Any, ...]]:
    return sql("select number, kind, ended_at is null from pgflow.run_continuations order by 1")


def test_a_run_that_waits_goes_on_with_the_answer_and_does_nothing_twice(
    worker: Worker, builder: FlowBuilder, database: Database, sql: Session, tmp_path: Path
) -> None:
    builder.define_flow(ASKS)
    notes = tmp_path / "notes"
    run_id = Requests(database).start("asks", {"n": 1, "notes": str(notes)})
    poll(lambda: waits(sql, run_id))
    poll(lambda: sql.value("select count(*) from pgflow.live_runs") == 0)

    answer(sql, run_id)

    poll(lambda: status_of(sql, run_id) == "completed")
    assert len(notes.read_text().splitlines()) == 1
    said = json.loads(notes.read_text())
    assert said["answer"] == {"ok": True}
    assert said["answered_by"] == "ann"
    poll(lambda: started(sql) == [(1, "resume", False)])
    steps = sql("select step_slug, status from pgflow.step_states order by 1")
    assert steps == [("after", "completed"), ("ask", "completed"), ("before", "completed")]
    assert sql.value("select count(*) from pgflow.runs") == 1


def test_a_sleep_ends_by_itself(
    worker: Worker, builder: FlowBuilder, database: Database, sql: Session
) -> None:
    builder.define_flow(
        Flow("naps").sleep("nap", seconds=1).step("after", handler="where", depends_on="nap")
    )
    run_id = Requests(database).start("naps", {})

    poll(lambda: status_of(sql, run_id) == "completed")

    assert sql.value(
        "select step.started_at >= wait.due_at from pgflow.step_states as step"
        " join pgflow.waits as wait using (run_id) where step.step_slug = 'after'"
    )


def test_a_run_that_waits_is_cancelled_by_the_live_worker(
    worker: Worker, builder: FlowBuilder, database: Database, sql: Session, tmp_path: Path
) -> None:
    builder.define_flow(ASKS)
    run_id = Requests(database).start("asks", {"n": 1, "notes": str(tmp_path / "notes")})
    poll(lambda: waits(sql, run_id))

    sql(f"select pgflow.cancel_waiting_run('{run_id}')")

    poll(lambda: status_of(sql, run_id) == "cancelled")
    assert sql.value("select status from pgflow.waits") == "cancelled"
    assert not (tmp_path / "notes").exists()


def test_a_run_whose_process_dies_when_it_goes_on_fails(
    worker: Worker,
    builder: FlowBuilder,
    database: Database,
    sql: Session,
    tmp_path: Path,
) -> None:
    builder.define_flow(
        Flow("deadly", max_attempts=1, max_recoveries=0)
        .approval("ask", prompt="May it?")
        .step("note", depends_on="ask")
        .step("die", depends_on="note")
    )
    notes = tmp_path / "notes"
    run_id = Requests(database).start("deadly", {"notes": str(notes)})
    poll(lambda: waits(sql, run_id))
    answer(sql, run_id)
    poll(lambda: status_of(sql, run_id) == "failed")
    poll(lambda: started(sql) == [(1, "resume", False)])
    assert "signal 9" in sql.value("select error_message from pgflow.runs")
    assert len(notes.read_text().splitlines()) == 1


def test_runs_that_waited_when_a_worker_was_killed_go_on_with_another_each_once(
    environment: Mapping[str, str],
    builder: FlowBuilder,
    database: Database,
    sql: Session,
    tmp_path: Path,
) -> None:
    builder.define_flow(ASKS)
    notes = tmp_path / "notes"
    requests = Requests(database)
    given = {"n": 1, "notes": str(notes)}
    with live_worker(tmp_path, environment, "--concurrency", "2") as worker:
        run_ids = [requests.start("asks", given) for _ in range(6)]
        poll(lambda: all(waits(sql, run_id) for run_id in run_ids))
        for run_id in run_ids:
            answer(sql, run_id)
        worker.process.kill()
        worker.process.wait()
    with live_worker(tmp_path, environment, "--concurrency", "2"):
        poll(lambda: all(status_of(sql, run_id) == "completed" for run_id in run_ids))
    assert len(notes.read_text().splitlines()) == len(run_ids)
    assert started(sql) == [(1, "resume", False)] * len(run_ids)

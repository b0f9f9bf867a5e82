"""Runs that wait go on by the sensors and Dagster's daemon alone, in whatever way they run."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from dagster_pgflow import Flow, FlowBuilder
from dagster_pgflow.names import continuation_id
from dagster_pgflow.store.database import Database
from tests.e2e.conftest import Deployment, begins_with
from tests.polling import poll
from tests.postgres import Session

Finished = Callable[..., dict[str, Any]]

RUN = """
query($id: ID!) { runOrError(runId: $id) { ... on Run {
  status parentRunId rootRunId stepKeysToExecute tags { key value }
} } }
"""
EXPENSE = (
    Flow("expense", max_attempts=1)
    .step("sum", "pgflow.transform", params={"expression": "flow_input.cents * 2"})
    .approval("ask", prompt="Pay it?", depends_on="sum")
    .step("pay", "pgflow.transform", params={"expression": "$.answer"}, depends_on="ask")
)


def define(sql: Session, flow: Flow) -> None:
    database = Database(sql.connection.dsn)
    FlowBuilder(database).define_flow(flow)
    database.close()


def begin_expenses(deployment: Deployment, _: Session) -> Any:
    begun = []
    for sql in (deployment.sql, deployment.tagged_sql):
        define(sql, EXPENSE)
        start = """select run_id from pgflow.start_flow('expense', '{"cents": 4}')"""
        begun.append((sql.value(start), sql.value(start)))
    return begun


def until_it_waits(sql: Session, run_id: Any) -> None:
    def waits() -> bool:
        [(status, error)] = sql(
            "select status, error_message from pgflow.runs where run_id = %s", str(run_id)
        )
        assert status in ("queued", "started", "waiting"), error
        return bool(status == "waiting")

    poll(waits, timeout=300, every=0.2)


@begins_with(begin_expenses)
def test_a_run_goes_on_with_an_answer_although_its_flow_was_edited(
    deployment: Deployment, begun: Any, finished: Finished
) -> None:
    for sql, (run_id, _) in zip((deployment.sql, deployment.tagged_sql), begun, strict=True):
        until_it_waits(sql, run_id)
        define(sql, Flow("expense").step("other", "pgflow.transform", params={"expression": "1"}))
        answered = deployment.call(sql, "answer", str(run_id), "ask", '"yes"', "--by", "ann")
        assert answered.returncode == 0, answered.stderr
    for sql, (run_id, _) in zip((deployment.sql, deployment.tagged_sql), begun, strict=True):
        run = finished(sql, run_id)
        assert (run["status"], run["output"]) == ("completed", {"pay": "yes"})
        first, second = str(run["dagster_run_id"]), str(continuation_id(UUID(run["run_id"]), 1))
        in_dagster = deployment.dagster.ask(RUN, id=second)["runOrError"]
        assert in_dagster["status"] == "SUCCESS"
        assert (in_dagster["parentRunId"], in_dagster["rootRunId"]) == (first, first)
        assert in_dagster["stepKeysToExecute"] == ["ask", "pay"]
        assert deployment.dagster.ask(RUN, id=first)["runOrError"]["status"] == "SUCCESS"


@begins_with(begin_expenses)
def test_a_run_is_cancelled_while_it_waits(
    deployment: Deployment, begun: Any, finished: Finished
) -> None:
    for sql, (_, run_id) in zip((deployment.sql, deployment.tagged_sql), begun, strict=True):
        until_it_waits(sql, run_id)
        refused = deployment.call(sql, "retry", str(run_id))
        assert refused.returncode == 1
        assert "goes on by itself" in refused.stderr
        cancelled = deployment.call(sql, "cancel", str(run_id))
        assert cancelled.returncode == 0, cancelled.stderr
    for sql, (_, run_id) in zip((deployment.sql, deployment.tagged_sql), begun, strict=True):
        assert finished(sql, run_id)["status"] == "cancelled"
        refused = deployment.call(sql, "answer", str(run_id), "ask", '"yes"', "--json")
        assert refused.returncode == 1
        assert "the run is cancelled" in json.loads(refused.stdout)["error"]["message"]

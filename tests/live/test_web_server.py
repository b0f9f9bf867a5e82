"""Live runs as people meet them: launched, terminated, executed again in the web server."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dagster_pgflow import Flow, FlowBuilder
from tests.e2e.dagster_dev import DagsterDev, running_dagster_dev
from tests.live.worker import Worker, live_worker
from tests.polling import poll
from tests.postgres import Server, Session, sqlalchemy_url

RUN_S = 240
WORKSPACE = Path(__file__).with_name("workspace.yaml")
LAUNCHER = """
run_launcher:
  module: dagster_pgflow.live_launcher
  class: LiveRunLauncher
"""

TERMINATE = """
mutation($id: String!) { terminateRun(runId: $id) { __typename } }
"""

EXECUTE_AGAIN = """
mutation($id: String!, $strategy: ReexecutionStrategy!) {
  launchRunReexecution(reexecutionParams: {parentRunId: $id, strategy: $strategy}) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""

SAID = """
query($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events {
  __typename
  ... on MessageEvent { message }
} } } }
"""


@dataclass(frozen=True)
class WebServer:
    """A Dagster with a live worker.

    Attributes:
        dagster: The running `dagster dev`.
        worker: The live worker of its code location.
        folder: A folder that steps can see.
        environment: Where store and home are.
    """

    dagster: DagsterDev
    worker: Worker
    folder: Path
    environment: Mapping[str, str]

    def launch(self, flow: str, given: Any) -> str:
        config = {"inputs": {"flow_input": given}}
        return self.dagster.launch(f"flow_{flow}", "live", "__repository__", config)

    def execute_again(self, run_id: str, strategy: str) -> str:
        answer = self.dagster.ask(EXECUTE_AGAIN, id=run_id, strategy=strategy)
        launched = answer["launchRunReexecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        again: str = launched["run"]["runId"]
        return again

    def retry(self, run_id: str) -> str:
        """Calls the program as its user does."""
        command = [str(Path(sys.executable).with_name("dagster-pgflow")), "retry", run_id, "--json"]
        environment = {**os.environ, **self.environment, "DAGSTER_GRPC_TIMEOUT_SECONDS": "300"}
        answer = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert answer.returncode == 0, answer.stderr
        again: str = json.loads(answer.stdout)["run_id"]
        return again

    def terminate(self, run_id: str) -> str:
        answer: str = self.dagster.ask(TERMINATE, id=run_id)["terminateRun"]["__typename"]
        return answer

    def end_of(self, run_id: str) -> str:
        def ended() -> str | None:
            status = self.dagster.run_status(run_id)
            return status if status in ("SUCCESS", "FAILURE", "CANCELED") else None

        return poll(ended, timeout=RUN_S, every=0.2) or ""

    def said(self, run_id: str) -> str:
        events = self.dagster.ask(SAID, id=run_id)["logsForRun"]["events"]
        return "\n".join(event.get("message", "") for event in events)

    def was_live(self, run_id: str) -> bool:
        """Return whether a live worker executed a run; every other process says who it is, too."""
        return "Started execution in the live worker of live" in self.said(run_id)


@pytest.fixture
def web_server(
    server: Server, database_url: str, builder: FlowBuilder, tmp_path: Path
) -> Iterator[WebServer]:
    builder.define_flows(
        [
            Flow("twice").step("double", handler="double"),
            Flow("order").step("price", handler="where").step("charge", handler="hold"),
        ]
    )
    environment = {"PGFLOW_DATABASE_URL": database_url, "DAGSTER_HOME": str(tmp_path / "home")}
    with (
        server.dagster_storage() as storage,
        running_dagster_dev(
            [WORKSPACE], tmp_path / "home", sqlalchemy_url(storage), environment, LAUNCHER
        ) as dagster,
    ):
        poll(lambda: "flow_order" in dagster.jobs().get("live", ()), timeout=RUN_S, every=0.5)
        words = ("--location-name", "live", "--concurrency", "2")
        with live_worker(tmp_path, environment, *words) as worker:
            yield WebServer(dagster, worker, tmp_path, environment)


def test_runs_from_the_web_server_are_executed_live(web_server: WebServer, sql: Session) -> None:
    run_id = web_server.launch("twice", {"n": 21})
    assert web_server.end_of(run_id) == "SUCCESS"
    assert web_server.was_live(run_id)
    again = web_server.execute_again(run_id, "ALL_STEPS")

    stopped = [launch_and_terminate(web_server, name) for name in ("one", "other")]
    from_page = web_server.execute_again(stopped[0], "FROM_FAILURE")
    by_command = web_server.retry(stopped[1])
    ends = {run: web_server.end_of(run) for run in (again, from_page, by_command)}
    assert set(ends.values()) == {"SUCCESS"}
    assert all(web_server.was_live(run) for run in (*ends, *stopped))
    rows = "select dagster_run_id, status from pgflow.runs where dagster_run_id::text = any(%s)"
    wanted = dict.fromkeys((run_id, *ends), "completed") | dict.fromkeys(stopped, "cancelled")
    poll(lambda: dict(sql(rows, list(wanted))) == wanted, timeout=RUN_S)


def launch_and_terminate(web_server: WebServer, name: str) -> str:
    """Returns a run that was terminated within its last step, which need not wait any more."""
    begun, until = web_server.folder / f"{name} begun", web_server.folder / f"{name} until"
    run_id = web_server.launch("order", {"begun": str(begun), "until": str(until)})
    poll(begun.exists, timeout=RUN_S)
    assert web_server.terminate(run_id) == "TerminateRunSuccess"
    assert web_server.end_of(run_id) == "CANCELED"
    until.touch()
    return run_id

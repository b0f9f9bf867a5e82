"""The deployment in containers that the page shows: its commands, without the containers."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from dagster_pgflow import Flow, FlowBuilder
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.requests import Requests
from tests.docs.pages import ROOT, blocks_of
from tests.live.compose import Composed, end, free_port, moved
from tests.polling import poll
from tests.postgres import Server, Session, sqlalchemy_url

PAGE = ROOT / "docs" / "live.md"
DEFINITIONS = """
from dagster_pgflow import build_repository
from dagster_pgflow.examples import handlers

flows = build_repository(handlers=[handlers])
"""
JOBS = """{ workspaceOrError { ... on Workspace { locationEntries {
  name locationOrLoadError { ... on RepositoryLocation { repositories { name } } } } } } }"""


@pytest.fixture
def files() -> Mapping[str, str]:
    return {block.file_name: block.text for block in blocks_of(PAGE) if block.file_name}


def is_answered(port: str) -> bool:
    body = json.dumps({"query": JOBS}).encode()
    question = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(question) as answer:
            [entry] = json.load(answer)["data"]["workspaceOrError"]["locationEntries"]
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
    return entry["name"] == "flows" and bool(
        (entry["locationOrLoadError"] or {}).get("repositories")
    )


def test_the_commands_of_the_compose_file_make_a_deployment(
    files: Mapping[str, str], server: Server, tmp_path: Path
) -> None:
    flows, web, health = free_port(), free_port(), free_port()
    host = {"0.0.0.0": "127.0.0.1"}  # noqa: S104  what is not to be listened on here
    places = {**host, "/opt/dagster": str(tmp_path), "/opt/flows": str(tmp_path)}
    ports = {'"4000"': f'"{flows}"', '"3000"': f'"{web}"', "8080": health}
    (tmp_path / "definitions.py").write_text(DEFINITIONS)
    (tmp_path / "dagster.yaml").write_text(files["dagster.yaml"])
    there = {"host: flows": "host: 127.0.0.1", "4000": flows}
    (tmp_path / "workspace.yaml").write_text(moved(files["workspace.yaml"], there))
    with server.database(migrated=False) as store, server.database(migrated=False) as storage:
        environment = {
            "PGFLOW_DATABASE_URL": store,
            "DAGSTER_STORAGE_URL": sqlalchemy_url(storage),
        }
        composed = Composed.of(files["compose.yaml"], {**places, **ports}, environment, tmp_path)
        assert composed.run("migrate") == 0, composed.log("migrate")
        with composed.all_running("flows", "live", "webserver", "daemon") as processes:
            poll(lambda: composed.is_healthy("live"), timeout=240, every=1)
            database, sql = Database(store), Session(store)
            FlowBuilder(database).define_flow(
                Flow("greeting").step("double", handler="ai_workflow.process")
            )
            run_id = Requests(database).start("greeting", 21)
            over = f"select status from pgflow.runs where run_id = '{run_id}'"
            poll(lambda: sql.value(over) not in ("queued", "started"), timeout=240)
            poll(lambda: is_answered(web), timeout=240, every=1)
            lines = [json.loads(line) for line in composed.log("live").splitlines()]
            [ended] = [line for line in lines if line["event"] == "run_ended"]
            assert (ended["run_id"], ended["code_location"]) == (str(run_id), "flows")
            assert {name: process.poll() for name, process in processes.items()} == dict.fromkeys(
                processes
            )
            assert end(processes["live"]) == 0
            assert sql.value("select count(*) from pgflow.live_workers") == 0
            sql.close()
            database.close()


def test_only_the_live_worker_is_asked_whether_it_is_ready_and_has_time_to_end(
    files: Mapping[str, str],
) -> None:
    composed = Composed.of(files["compose.yaml"], {}, {}, Path())
    assert "readyz" in composed.services["live"]["healthcheck"]["test"][-1]
    assert composed.services["live"]["stop_grace_period"] == "45s"

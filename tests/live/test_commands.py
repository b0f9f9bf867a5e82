"""`dagster-pgflow cancel` reaches runs of live workers, whatever launches other runs."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from dagster_pgflow import Flow, FlowBuilder
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.requests import Requests
from tests.live.worker import Worker, live_worker
from tests.polling import poll
from tests.postgres import Session

LAUNCHING = {"run_launcher": {"module": "dagster_pgflow.live_launcher", "class": "LiveRunLauncher"}}


@pytest.fixture(params=["with our launcher", "without"])
def home(environment: Mapping[str, str], request: pytest.FixtureRequest) -> Path:
    """DAGSTER_HOME, whose file names our launcher or none."""
    home = Path(environment["DAGSTER_HOME"])
    if request.param != "without":
        with (home / "dagster.yaml").open("a") as file:
            yaml.safe_dump(LAUNCHING, file)
    return home


@pytest.fixture
def worker(home: Path, environment: Mapping[str, str], tmp_path: Path) -> Iterator[Worker]:
    with live_worker(tmp_path, environment, "--concurrency", "2") as worker:
        yield worker


def call(home: Path, database: Database, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(Path(sys.executable).with_name("dagster-pgflow")), *words],
        env={
            **os.environ,
            "DAGSTER_HOME": str(home),
            "PGFLOW_DATABASE_URL": database.address.dsn,
        },
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_live_run_is_cancelled_while_a_step_is_at_work(
    worker: Worker, home: Path, builder: FlowBuilder, database: Database, sql: Session
) -> None:
    tmp_path = home.parent
    builder.define_flow(Flow("long").step("first", handler="where").step("held", handler="hold"))
    begun, until = tmp_path / "begun", tmp_path / "until"
    run_id = Requests(database).start("long", {"begun": str(begun), "until": str(until)})
    poll(begun.exists)

    cancelled = call(home, database, "cancel", str(run_id))
    assert cancelled.returncode == 0, cancelled.stderr
    over = f"select status from pgflow.runs where run_id = '{run_id}'"
    poll(lambda: sql.column(over) == ["cancelled"])

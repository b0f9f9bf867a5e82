"""The parts of the demo; `tests/e2e/test_demo.py` has the whole."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dagster_pgflow.cli.dagster_instance import without_passwords
from dagster_pgflow.cli.demo import _choose_data_folder
from dagster_pgflow.cli.demonstration import dagster_dev, family
from dagster_pgflow.cli.demonstration.dagster_dev import WebAddress
from dagster_pgflow.cli.demonstration.example_runs import what_happened
from dagster_pgflow.cli.demonstration.home import DemoHome
from dagster_pgflow.cli.demonstration.next_steps import next_steps
from dagster_pgflow.cli.demonstration.signals import Interrupted, ended_by_signals
from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.settings import data_dir
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.requests import Requests
from tests.polling import poll
from tests.postgres import Session

DEAF = """
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("up", flush=True)
if len(sys.argv) > 1:
    subprocess.Popen([sys.executable, "-c", sys.argv[1]])
time.sleep(60)
"""


def test_the_first_free_port_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(dagster_dev, "FIRST_PORT", port)
        assert WebAddress.choose("127.0.0.1", None).port > port
        monkeypatch.setattr(dagster_dev, "PORTS_TRIED", 1)
        with pytest.raises(ConfigurationError, match="No port from"):
            WebAddress.choose("127.0.0.1", None)


def test_an_address_that_listens_everywhere_is_shown_as_one_to_click() -> None:
    assert WebAddress("::", 3000).url == "http://127.0.0.1:3000"


def test_the_home_is_beside_the_data_and_holds_one_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGFLOW_DATA_DIR", str(tmp_path / "pg"))
    home = DemoHome.beside_data()
    assert home.path == tmp_path / "pg-demo"
    with home.locked("http://here:1"):
        home.write_settings("postgresql+psycopg2://x")
        with pytest.raises(ConfigurationError, match="running already, at http://here:1;"):
            home.locked("http://here:2").__enter__()
    with home.locked("http://here:2"):
        settings = yaml.safe_load((home.path / "dagster.yaml").read_text())
    assert settings["storage"]["postgres"]["postgres_url"] == "postgresql+psycopg2://x"


def test_the_first_signal_ends_and_later_ones_are_ignored() -> None:
    def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted), ended_by_signals():
        work()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_process_that_is_deaf_to_signals_is_killed_with_its_children(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(family, "STOP_S", 0.3)
    process = subprocess.Popen(
        [sys.executable, "-c", DEAF, DEAF],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == [b"up\n", b"up\n"]
    family._end(process)
    assert process.returncode == -signal.SIGKILL
    poll(lambda: family._alive(family._family(process.pid)) == [])
    process.stdout.close()


def test_the_next_steps_call_the_program_as_it_was_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "dagster-pgflow"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PGFLOW_DATABASE_URL", raising=False)
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.setenv("PATH", "/usr/bin")
    assert '\n   bin/dagster-pgflow start measure_docs --input \'{"folder"' in next_steps(
        "http://x"
    )
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setenv("PGFLOW_DATABASE_URL", "postgresql://elsewhere")
    assert "\n   PGFLOW_DATABASE_URL= dagster-pgflow start" in next_steps("http://x")


def test_what_dagster_says_is_told_without_passwords() -> None:
    error = ValueError("bad\n url postgresql://me:s3cr:et@host/db")
    assert without_passwords(error) == "bad url postgresql://me:***@host/db"


def test_the_next_steps_name_the_data_folder_that_the_demo_chose() -> None:
    told = next_steps("http://x", Path("/data/of the demo"))
    assert "\n   export PGFLOW_DATA_DIR='/data/of the demo'\n" in told
    assert "http://x/locations/pgflow@pgflow/jobs/order" in told


def test_a_long_result_is_cut_so_that_it_shows(
    database: Database, builder: FlowBuilder, requests: Requests, sql: Session
) -> None:
    builder.define_flow(Flow("f").step("a"))
    for output in ({"a": "x" * 80}, {"a": "y"}):
        run_id = requests.start("f", {})
        sql("update pgflow.runs set output = %s where run_id = %s", json.dumps(output), str(run_id))
    _, answer = what_happened(database, 2)
    results = [row[answer.columns.index("result")] for row in answer.rows]
    assert results == ['{"a": "y"}', '{"a": "' + "x" * 52 + "…"]


def test_the_demo_has_a_store_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGFLOW_DATA_DIR", "")
    users = data_dir()
    chosen = _choose_data_folder()
    assert chosen == data_dir() != users

    monkeypatch.setenv("PGFLOW_DATA_DIR", "/of/the/user")
    assert _choose_data_folder() is None
    assert data_dir() == Path("/of/the/user")

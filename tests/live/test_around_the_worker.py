"""What is around the worker: its log, its health, changed code, an end that is hurried."""

import json
import os
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dagster_pgflow import Flow, FlowBuilder
from dagster_pgflow.cli import main
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.requests import Requests
from tests.live.worker import Worker, live_worker
from tests.polling import poll
from tests.postgres import Session

SOURCE = """
import logging
import sys
from dagster_pgflow import build_definitions
from answers import ANSWER

print("printed by the import")

def answer(given):
    print("printed by a handler")
    logging.getLogger("shop").warning("look here")
    return ANSWER

defs = build_definitions(handlers=[{"answer": answer}])
"""


@dataclass
class Served:
    """A worker of a code location that may be edited.

    Attributes:
        worker: It.
        folder: Where the code is.
        health: Its address.
    """

    worker: Worker
    folder: Path
    health: str

    def edit(self, text: str) -> None:
        (self.folder / "answers.py").write_text(text)

    def asked(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://{self.health}{path}") as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def told(self, event: str) -> list[dict[str, Any]]:
        """Returns the lines of its log that tell of an event; each line of it is JSON."""
        lines = [json.loads(line) for line in self.worker.said().splitlines()]
        return [line for line in lines if line["event"] == event]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def served(environment: Mapping[str, str], tmp_path: Path) -> Iterator[Served]:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "definitions.py").write_text(SOURCE)
    (folder / "answers.py").write_text("ANSWER = 1\n")
    health = f"127.0.0.1:{free_port()}"
    words = ["-d", str(folder), "--json", "--reload", "--health", health, "--concurrency", "1"]
    with live_worker(tmp_path, environment, *words, location=folder / "definitions.py") as worker:
        yield Served(worker, folder, health)


def outcome(database: Database, sql: Session) -> Any:
    run_id = Requests(database).start("ask")
    over = f"select status not in ('queued', 'started') from pgflow.runs where run_id = '{run_id}'"
    poll(lambda: sql.value(over), timeout=120)
    return sql.value(f"select output from pgflow.runs where run_id = '{run_id}'")


def test_changed_code_is_imported_and_broken_code_leaves_the_old_serving(
    served: Served, builder: FlowBuilder, database: Database, sql: Session
) -> None:
    builder.define_flow(Flow("ask").step("answer", handler="answer"))
    poll(lambda: served.asked("/readyz")[0] == 200, timeout=120)
    assert served.asked("/healthz")[0] == 200
    assert outcome(database, sql) == {"answer": 1}

    served.edit("ANSWER = 1\nboom\n")
    poll(lambda: served.told("code_location_unusable"), timeout=120)
    [unusable] = served.told("code_location_unusable")
    assert "NameError: name 'boom' is not defined" in unusable["message"]
    assert f'File "{served.folder}/answers.py", line 2' in unusable["message"]
    assert "What was imported before serves on." in unusable["message"]
    assert outcome(database, sql) == {"answer": 1}
    assert served.asked("/readyz")[0] == 200

    served.edit("ANSWER = 22\n")
    poll(lambda: len(served.told("code_location_served")) == 2, timeout=120)
    assert outcome(database, sql) == {"answer": 22}
    served.worker.process.send_signal(signal.SIGHUP)
    poll(lambda: len(served.told("code_location_served")) == 3, timeout=120)
    assert outcome(database, sql) == {"answer": 22}

    # Told when the rows are written.
    poll(lambda: len(served.told("run_ended")) == 4)
    started, ended = served.told("run_started"), served.told("run_ended")
    assert {line["status"] for line in ended} == {"success"}
    assert [line["run_id"] for line in started] == [line["run_id"] for line in ended]
    assert {line["code_location"] for line in started} == {"definitions.py"}
    # Each at least once; what the import and handlers print, and Dagster's own words, not at all.
    assert "look here" in served.worker.said()
    assert "printed by" not in served.worker.said()
    assert "STEP_SUCCESS" not in served.worker.said()
    metrics = served.asked("/metrics")[1]
    assert (
        'pgflow_live_runs_ended_total{code_location="definitions.py",status="success"} 4.0'
        in metrics
    )
    assert 'pgflow_live_imports_total{code_location="definitions.py",result="failed"}' in metrics
    assert 'pgflow_live_ready{code_location="definitions.py"} 1.0' in metrics
    assert "ask" not in metrics.replace("asked for", "")


def test_a_second_signal_interrupts_what_is_under_way_and_another_worker_goes_on(
    worker: Worker, builder: FlowBuilder, database: Database, sql: Session, tmp_path: Path
) -> None:
    builder.define_flow(Flow("long").step("held", handler="hold"))
    begun = tmp_path / "begun"
    given = {"begun": str(begun), "until": str(tmp_path / "never")}
    run_id = Requests(database).start("long", given)
    poll(begun.exists)
    worker.process.send_signal(signal.SIGINT)
    worker.wait_until_said("Ending: 1 runs are under way")
    assert sql.value("select count(*) from pgflow.live_runs") == 1
    assert worker.end(signal.SIGINT) == 0
    assert sql.value(f"select status from pgflow.runs where run_id = '{run_id}'") == "waiting"
    assert sql("select kind, ended_at from pgflow.run_continuations") == [("recover", None)]
    assert sql.value("select count(*) from pgflow.live_runs") == 0


def test_a_worker_that_ends_leaves_what_waits_to_others(
    worker: Worker, builder: FlowBuilder, database: Database, sql: Session, tmp_path: Path
) -> None:
    builder.define_flows(
        [Flow("long").step("held", handler="hold"), Flow("short").step("double", handler="double")]
    )
    requests, until = Requests(database), tmp_path / "until"
    begun = [tmp_path / "one", tmp_path / "other"]
    for file in begun:
        requests.start("long", {"begun": str(file), "until": str(until)})
    poll(lambda: all(file.exists() for file in begun))
    for number in range(3):
        requests.start("short", {"n": number})
    worker.process.terminate()
    worker.wait_until_said("Ending: 2 runs are under way")
    until.touch()
    assert worker.exit_code() == 0
    ends = "select status from pgflow.runs where flow_slug = %s order by id"
    assert sql.column(ends, "long") == ["completed", "completed"]
    assert sql.column(ends, "short") == ["queued", "queued", "queued"]


def test_a_store_without_its_schema_is_named_once_and_served_once_it_is_there(
    environment: Mapping[str, str], server: Any, tmp_path: Path
) -> None:
    with server.database(migrated=False) as url:
        changed = {**environment, "PGFLOW_DATABASE_URL": url}
        health = f"127.0.0.1:{free_port()}"
        with live_worker(tmp_path, changed, "--health", health) as worker:
            served = Served(worker, tmp_path, health)
            worker.wait_until_said("dagster-pgflow migrate")
            assert served.asked("/readyz")[0] == 503
            result = CliRunner().invoke(main, ["migrate"], env={"PGFLOW_DATABASE_URL": url})
            assert result.exit_code == 0, result.output
            worker.wait_until_said("its store answers again")
            poll(lambda: served.asked("/readyz")[0] == 200, timeout=120)
            assert worker.said().count("It is tried again") == 1


@pytest.mark.parametrize(
    ("words", "home", "sentence"),
    [
        ((), "", "DAGSTER_HOME is not set; set it to the folder of Dagster's dagster.yaml"),
        ((), "/no/such/folder", "DAGSTER_HOME names /no/such/folder, which is no folder"),
        (("-f", "no_such.py"), os.curdir, "There is no file no_such.py, which -f names."),
        (("--health", "x"), os.curdir, '"x" is no address to listen on; write a port'),
    ],
)
def test_what_is_missing_is_one_sentence_before_anything_starts(
    words: tuple[str, ...], home: str, sentence: str
) -> None:
    result = CliRunner().invoke(main, ["live", *words], env={"DAGSTER_HOME": home})
    assert result.exit_code == 1
    assert sentence in result.output
    assert "Traceback" not in result.output

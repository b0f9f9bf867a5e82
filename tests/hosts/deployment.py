"""Two hosts, one PostgreSQL: what runs on them, and what a test sees of it."""

import json
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
import yaml

from dagster_pgflow import Flow, FlowBuilder
from dagster_pgflow.names import TAG_RUN_ID
from dagster_pgflow.projection.sync.projector import project
from dagster_pgflow.projection.sync.store import ProjectionStore
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.migrator import migrate
from dagster_pgflow.store.outputs import OutputStore
from dagster_pgflow.store.requests import Requests
from dagster_pgflow.store.run_tables import RunTables
from tests.hosts.network import Host, hosts, log_of
from tests.hosts.services import start_postgres
from tests.polling import poll
from tests.postgres import Session, sqlalchemy_url

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent
START_S = 120
RUN_S = 240


class Call(NamedTuple):
    """One call of a handler, as it is noted by `tests.hosts.handlers`."""

    task_path: str
    host: str
    process: str
    key: str
    attempt: str


class Deployment:
    """The hosts, and their store as somebody sees it who has no part in running it.

    Attributes:
        services: The host with PostgreSQL.
        one: A host that runs flows.
        other: Another one.
        folder: What all hosts have.
        url: The store, for programs on the hosts.
        broker: The URL of the broker of Celery, for programs on the hosts.
        sql: The store, for the test.
        instance: Dagster, for the test.
    """

    def __init__(self, folder: Path, services: Host, one: Host, other: Host) -> None:
        self.services, self.one, self.other = services, one, other
        self.folder = folder
        seen_here = start_postgres(services, folder)
        at_the_hosts = f"host={services.address} port=5432 user=postgres"
        self.url = f"{at_the_hosts} dbname=pgflow"
        self.broker: str | None = None
        self.home = _home(folder / "home", f"{at_the_hosts} dbname=dagster")
        self._database = Database(f"{seen_here} dbname=pgflow")
        migrate(self._database)
        self.sql = Session(self._database.address.dsn)
        self.requests = Requests(self._database)
        home = _home(folder / "home_of_test", f"{seen_here} dbname=dagster")
        self.instance = dg.DagsterInstance.from_config(str(home))
        self._store = ProjectionStore(
            Catalog(self._database), OutputStore(self._database), RunTables(self._database)
        )
        (folder / "calls").touch()

    def define(self, *flows: Flow) -> None:
        """Stores flows."""
        FlowBuilder(self._database).define_flows(list(flows))

    def start(self, host: Host, name: str, *words: str) -> "subprocess.Popen[bytes]":
        """Starts a program on a host; its log is `NAME.log` in the folder."""
        environment = {
            "DAGSTER_HOME": str(self.home),
            "PGFLOW_DATABASE_URL": self.url,
            "PGFLOW_TEST_FOLDER": str(self.folder),
            "PGFLOW_TEST_BROKER": self.broker or "",
            "PYTHONPATH": str(ROOT),
            "PATH": f"{PROGRAMS}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        }
        with log_of(self.folder, name) as log:
            return host.start(words, environment, log)

    def log(self, name: str) -> str:
        """Returns what a program has said."""
        return (self.folder / f"{name}.log").read_text()

    def run(self, slug: str, given: Any) -> tuple[str, "subprocess.Popen[bytes]"]:
        """Starts a run of a flow on the first host; returns its id and its process."""
        run_id = str(uuid.uuid4())
        config = json.dumps({"inputs": {"flow_input": given}})
        words = ("-m", "tests.hosts.run_flow", slug, config, json.dumps({TAG_RUN_ID: run_id}))
        return run_id, self.start(self.one, f"run-{run_id}", sys.executable, *words)

    def row(self, run_id: str) -> dict[str, Any] | None:
        """Does what the sensor of the projection does, and returns the row of a run, if any."""
        self.sql("update pgflow.run_cursors set due_at = now()")
        project(self.instance, self._store)
        found = self.sql.records("select * from pgflow.runs where run_id = %s", run_id)
        return found[0] if found else None

    def ended(self, run_id: str) -> dict[str, Any]:
        """Waits until a run has ended, and returns its row."""

        def look() -> dict[str, Any] | None:
            row = self.row(run_id)
            over = row is not None and row["status"] in ("completed", "failed", "cancelled")
            return row if over else None

        row = poll(look, timeout=RUN_S, every=0.5)
        assert row is not None
        return row

    def calls(self, run_id: str) -> list[Call]:
        """Returns what the handlers of a run have noted."""
        lines = [line.split() for line in (self.folder / "calls").read_text().splitlines()]
        return [Call(*words[1:]) for words in lines if words[0] == run_id]

    def close(self) -> None:
        """Lets go of the store."""
        self.sql.close()
        self.instance.dispose()
        self._database.close()


@contextmanager
def deployment() -> Iterator[Deployment]:
    """Yields two hosts that run nothing yet."""
    with (
        # Not below pytest's own folder, which is closed to the account of the server.
        tempfile.TemporaryDirectory(prefix="pgflow-tests-") as folder,
        hosts("one", "other") as [services, one, other],
    ):
        deployed = Deployment(Path(folder), services, one, other)
        try:
            yield deployed
        finally:
            deployed.close()


def _home(folder: Path, dsn: str) -> Path:
    folder.mkdir()
    config: Mapping[str, Any] = {
        "storage": {"postgres": {"postgres_url": sqlalchemy_url(dsn)}},
        "telemetry": {"enabled": False},
    }
    (folder / "dagster.yaml").write_text(yaml.safe_dump(config))
    return folder

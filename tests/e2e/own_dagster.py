"""A Dagster and a PostgreSQL of a test's own, which it may end and start again."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.e2e.dagster_dev import DagsterDev, running_dagster_dev
from tests.own_server import OwnServer
from tests.polling import poll
from tests.postgres import sqlalchemy_url

CALL_S = 1800

WORKSPACE_YAML = """
load_from:
  - python_file:
      relative_path: {location}
      location_name: {name}
"""

OTHERS = """
select datname, application_name, state
from pg_stat_activity
where backend_type = 'client backend' and pid <> pg_backend_pid()
"""


@dataclass(frozen=True)
class OwnDagster:
    """What `dagster dev` needs, and what the operating system says of it.

    Attributes:
        server: PostgreSQL, with the store and Dagster's storage.
        folder: An empty folder.
        location: The file of the code location.
        variables: The environment that its processes get besides.
    """

    server: OwnServer
    folder: Path
    location: Path
    variables: Mapping[str, str]

    @property
    def home(self) -> Path:
        """The folder that DAGSTER_HOME names."""
        return self.folder / "home"

    @contextmanager
    def running(self) -> Iterator[DagsterDev]:
        """Yields a `dagster dev`, which goes on with what the one before has left."""
        workspace = self.folder / "workspace.yaml"
        workspace.write_text(WORKSPACE_YAML.format(location=self.location, name=self.location.stem))
        storage = sqlalchemy_url(self.server.url_of(dbname="dagster"))
        with running_dagster_dev([workspace], self.home, storage, self._environment) as dagster:
            yield dagster

    def call(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Calls the program as a user of the store does."""
        return subprocess.run(
            [str(Path(sys.executable).with_name("dagster-pgflow")), *words],
            env={**os.environ, **self._environment, "DAGSTER_HOME": str(self.home)},
            capture_output=True,
            text=True,
            timeout=CALL_S,
        )

    def command_lines(self) -> dict[int, str]:
        """Returns what each process of this Dagster was called with, by its process id."""
        found = {}
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("DAGSTER_HOME") == str(self.home):
                    found[process.pid] = " ".join(process.cmdline())
        return found

    def run_workers(self) -> list[str]:
        """Returns the processes that execute runs; the code server starts one for each."""
        return [line for line in self.command_lines().values() if "spawn_main" in line]

    def kill_code_server(self) -> None:
        """Kills the process that serves the code location; amid a reload there are two."""
        serving = {pid for pid, line in self.command_lines().items() if " api grpc " in line}
        assert serving != set()
        for pid in serving:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        poll(lambda: not serving & self.command_lines().keys())

    def connections(self) -> list[tuple[Any, ...]]:
        """Returns the connections to PostgreSQL, but for the one that asks."""
        return self.sql(OTHERS)

    def sql(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Runs a statement in a session of its own, and returns its rows."""
        with closing(self.server.session()) as session:
            return session(statement, *parameters)

    @property
    def _environment(self) -> dict[str, str]:
        return {"PGFLOW_DATABASE_URL": self.server.url, **self.variables}

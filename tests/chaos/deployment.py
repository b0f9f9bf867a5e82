"""A deployment as the docs tell users to set it up, and what starts again what has ended."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil

from dagster_pgflow.embedded import EmbeddedPostgres
from dagster_pgflow.settings import LOST_AFTER_VARIABLE, STUCK_AFTER_VARIABLE
from tests.chaos.handlers import EFFECTS
from tests.chaos.probe import Probe
from tests.postgres import sqlalchemy_url

MARK = "PGFLOW_CHAOS"
"""Stands in the environment of each process of ours, so that no other is ever killed."""

LOCATION = "tests.chaos.location"
LOOK_EVERY_S = 0.5
LONGEST_ABSENCE_S = 4.0
BIN = Path(sys.executable).parent

DAGSTER_YAML = """
storage:
  postgres:
    postgres_url: {url}
run_coordinator:
  module: dagster
  class: QueuedRunCoordinator
  config:
    dequeue_interval_seconds: 1
    dequeue_use_threads: true
    dequeue_num_workers: 3
    max_concurrent_runs: 4
    max_user_code_failure_retries: 20
    user_code_failure_retry_delay: 10
sensors:
  use_threads: true
  num_workers: 4
telemetry:
  enabled: false
"""

WORKSPACE_YAML = """
load_from:
  - grpc_server:
      host: 127.0.0.1
      port: {port}
      location_name: chaos
"""


class Service:
    """One program that is started again whenever it has ended.

    Attributes:
        name: What it is.
        process: The running process.
    """

    def __init__(
        self, name: str, command: list[str], environment: dict[str, str], log: IO[str]
    ) -> None:
        self.name = name
        self._command = command
        self._environment = environment
        self._log = log
        self.process: subprocess.Popen[bytes] | None = None
        self.due_at = 0.0

    def start(self) -> None:
        """Starts it."""
        self.process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def is_up(self) -> bool:
        """Return whether its process runs."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """Kills it, and nothing that it has started."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.kill()
            self.process.wait()


class Deployment:
    """PostgreSQL for the flows and for Dagster, a code server, the daemon, and their supervisor."""

    def __init__(
        self, folder: Path, run_mark: str, draw: random.Random, live_workers: int = 0
    ) -> None:
        self.folder = folder
        self.effects = folder / "effects.jsonl"
        self.effects.touch()
        self._draw = draw
        self._mark = run_mark
        self.home = folder / "home"
        self.home.mkdir()
        self.servers = {
            name: EmbeddedPostgres(folder / name, durable=False) for name in ("flows", "dagster")
        }
        for server in self.servers.values():
            server.start()
        self.url = self.servers["flows"].url()
        self.environment = self._environment()
        self._port = _free_port()
        self._write_config()
        self._logs: list[IO[str]] = []
        self.code_server = Service(
            "code server",
            [
                *(str(BIN / "dagster"), "code-server", "start", "-h", "127.0.0.1"),
                *("-p", str(self._port), "-m", LOCATION, "--location-name", "chaos"),
            ],
            self.environment,
            self._logged("code_server"),
        )
        self.daemon = Service(
            "daemon",
            [str(BIN / "dagster-daemon"), "run", "-w", str(folder / "workspace.yaml")],
            self.environment,
            self._logged("daemon"),
        )
        self.live_workers = [
            Service(
                f"live worker {number}",
                [
                    *(str(BIN / "dagster-pgflow"), "live", "-m", LOCATION),
                    *("--location-name", "chaos", "--concurrency", "2"),
                ],
                self.environment,
                self._logged(f"live_worker_{number}"),
            )
            for number in range(live_workers)
        ]
        self._ends = threading.Event()
        self._probe = Probe()
        self._supervisor = threading.Thread(target=self._supervise)

    def start(self) -> None:
        """Starts everything, and begins to look after it."""
        for service in self._services():
            service.start()
        self._supervisor.start()

    def stop_dagster(self) -> None:
        """Ends all of Dagster, run workers too, and looks after nothing any more."""
        self._ends.set()
        if self._supervisor.ident is not None:
            self._supervisor.join()
        for service in self._services():
            service.kill()
        for process in self.processes():
            with suppress(psutil.Error):
                process.kill()

    def close(self) -> None:
        """Ends the rest."""
        for server in self.servers.values():
            server.stop(for_everyone=True)
        for log in self._logs:
            log.close()

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Calls the program as a user does."""
        return subprocess.run(
            [str(BIN / "dagster-pgflow"), *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def processes(self) -> list[psutil.Process]:
        """Returns each process of this deployment's Dagster that runs."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                is_ours = process.environ().get(MARK) == self._mark
                if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return [process for process in found if process.pid != os.getpid()]

    def code_server_child(self) -> psutil.Process | None:
        """Returns the process that serves the location; the code server only stands before it."""
        return next((one for one in self.processes() if "api" in _words(one)), None)

    def run_workers(self) -> list[psutil.Process]:
        """Returns the processes of runs."""
        return [
            process
            for process in self.processes()
            if any("spawn_main" in word for word in _words(process))
        ]

    def live_processes(self, *, at_work: bool) -> list[psutil.Process]:
        """Returns the processes of live workers, but for their supervisors.

        Args:
            at_work: Those that are forked, or those that fork them.
        """
        found = [one for one in self.processes() if "dagster_pgflow.live.template" in _words(one)]
        templates = {one.pid for one in found if not _descends(one, found)}
        return [one for one in found if (one.pid in templates) is not at_work]

    def kill_postgres(self, name: str) -> None:
        """Kills a server, as the operating system does that has no memory left."""
        pid = self._postmaster(name)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_session(self, name: str) -> bool:
        """Kills one session of a server, which makes it end all others and recover."""
        pid = self._postmaster(name)
        sessions = [] if pid is None else _sessions(pid)
        if sessions:
            self._draw.choice(sessions).kill()
        return bool(sessions)

    def _postmaster(self, name: str) -> int | None:
        with suppress(FileNotFoundError, ValueError, IndexError):
            pid_file = self.servers[name].data_dir / "cluster" / "postmaster.pid"
            pid = int(pid_file.read_text().splitlines()[0])
            return pid if psutil.pid_exists(pid) else None
        return None

    def _services(self) -> list[Service]:
        return [self.code_server, self.daemon, *self.live_workers]

    def _logged(self, name: str) -> IO[str]:
        self._logs.append((self.folder / f"{name}.log").open("w"))
        return self._logs[-1]

    def _supervise(self) -> None:
        while not self._ends.wait(LOOK_EVERY_S):
            for server in self.servers.values():
                if not server.is_running():
                    time.sleep(self._draw.uniform(0, LONGEST_ABSENCE_S))
                    with suppress(Exception):
                        server.start()
            for service in self._services():
                self._look_after(service)
            self._probe_code_server()

    def _look_after(self, service: Service) -> None:
        if service.is_up():
            service.due_at = 0.0
        elif not service.due_at:
            service.due_at = time.monotonic() + self._draw.uniform(0, LONGEST_ABSENCE_S)
        elif time.monotonic() >= service.due_at:
            service.start()

    def _probe_code_server(self) -> None:
        """Does what the docs say a supervisor must do: Dagster leaves a dead child dead."""
        process = self.code_server.process if self.code_server.is_up() else None
        has_child = self.code_server_child() is not None
        if self._probe.is_stuck(process, time.monotonic(), has_child=has_child):
            self.code_server.kill()

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            MARK: self._mark,
            EFFECTS: str(self.effects),
            "DAGSTER_HOME": str(self.home),
            "PGFLOW_DATABASE_URL": self.url,
            STUCK_AFTER_VARIABLE: "10",
            LOST_AFTER_VARIABLE: "40",
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        }

    def _write_config(self) -> None:
        url = self.servers["dagster"].url("dagster")
        storage = sqlalchemy_url(url)
        (self.home / "dagster.yaml").write_text(DAGSTER_YAML.format(url=storage))
        (self.folder / "workspace.yaml").write_text(WORKSPACE_YAML.format(port=self._port))


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _descends(process: psutil.Process, others: list[psutil.Process]) -> bool:
    """Return whether another of these has started a process."""
    try:
        return process.ppid() in {one.pid for one in others}
    except psutil.Error:
        return True


def _sessions(postmaster: int) -> list[psutil.Process]:
    try:
        children = psutil.Process(postmaster).children()
    except psutil.Error:
        return []
    return [one for one in children if " ".join(_words(one)).startswith("postgres: postgres ")]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def deployment(
    folder: Path,
    mark: str,
    draw: random.Random,
    prepare: Callable[[str], None],
    live_workers: int = 0,
) -> Iterator[Deployment]:
    """Yields a running deployment.

    Args:
        folder: An empty folder.
        mark: What no other deployment is called.
        draw: Decides for how long what was killed stays away.
        prepare: Makes the schema and the flows in a database.
        live_workers: How many there are.
    """
    deployed = Deployment(folder, mark, draw, live_workers)
    try:
        prepare(deployed.url)
        deployed.start()
        yield deployed
    finally:
        deployed.stop_dagster()
        deployed.close()

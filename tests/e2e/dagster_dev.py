"""A real `dagster dev`: webserver, daemon and code servers as processes of their own."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.polling import poll

START_S = 240
STOP_S = 40
ASK_S = 300
"""Loading a code location anew takes a question as long as its import takes."""

DAGSTER_YAML = """
storage:
  postgres:
    postgres_url: {url}
# Dagster looks more often than it does by default, and launches runs side by side: each launch
# waits for a process to start. So tests wait less.
run_coordinator:
  module: dagster
  class: QueuedRunCoordinator
  config:
    dequeue_interval_seconds: 1
    dequeue_use_threads: true
    dequeue_num_workers: 3
    max_concurrent_runs: 6
    tag_concurrency_limits:
      - key: pgflow/one_at_a_time
        limit: 1
sensors:
  use_threads: true
  num_workers: 4
telemetry:
  enabled: false
nux:
  enabled: false
"""

LAUNCH = """
mutation($job: String!, $location: String!, $repository: String!, $config: RunConfigData!) {
  launchRun(executionParams: {
    selector: {
      jobName: $job, repositoryLocationName: $location, repositoryName: $repository
    },
    runConfigData: $config
  }) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}
"""

STEPS = """
query($job: String!, $location: String!, $repository: String!) {
  pipelineOrError(params: {
    pipelineName: $job, repositoryLocationName: $location, repositoryName: $repository
  }) { ... on Pipeline { solids { name } } }
}
"""

RELOAD = """
mutation($location: String!) {
  reloadRepositoryLocation(repositoryLocationName: $location) {
    __typename
    ... on WorkspaceLocationEntry { loadStatus }
  }
}
"""

IN_PROGRESS = """
{ runsOrError(filter: {
  statuses: [NOT_STARTED, QUEUED, STARTING, STARTED, CANCELING]
}) { ... on Runs { results { runId status } } } }
"""

LOCATIONS = """
{ workspaceOrError { ... on Workspace { locationEntries {
  name
  locationOrLoadError {
    __typename
    ... on PythonError { message }
    ... on RepositoryLocation { repositories { jobs { name } } }
  }
} } } }
"""


class DagsterDev:
    """The running `dagster dev`.

    Attributes:
        address: The webserver's URL.
        home: The folder that DAGSTER_HOME names.
    """

    def __init__(self, address: str, home: Path) -> None:
        self.address = address
        self.home = home

    def ask(self, query: str, **variables: Any) -> Any:
        """Returns the data that a GraphQL query gets."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            f"{self.address}/graphql", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=ASK_S) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer
        return answer["data"]

    def jobs(self) -> dict[str, list[str]]:
        """Returns the job names of each code location that is loaded."""
        entries = self.ask(LOCATIONS)["workspaceOrError"]["locationEntries"]
        return {
            entry["name"]: [
                job["name"]
                for repository in entry["locationOrLoadError"]["repositories"]
                for job in repository["jobs"]
            ]
            for entry in entries
            if (entry["locationOrLoadError"] or {}).get("repositories") is not None
        }

    def steps(self, job: str, location: str, repository: str) -> list[str]:
        """Returns the names of a job's top-level nodes."""
        answer = self.ask(STEPS, job=job, location=location, repository=repository)
        return [node["name"] for node in answer["pipelineOrError"]["solids"]]

    def launch(self, job: str, location: str, repository: str, config: Mapping[str, Any]) -> str:
        """Starts a run as the launchpad does, and returns its id."""
        launched = self.ask(
            LAUNCH, job=job, location=location, repository=repository, config=dict(config)
        )["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run_id: str = launched["run"]["runId"]
        return run_id

    def reload(self, location: str) -> None:
        """Loads a code location anew, as the button of the web UI does."""
        entry = self.ask(RELOAD, location=location)["reloadRepositoryLocation"]
        assert entry.get("loadStatus") == "LOADED", entry

    def runs_in_progress(self) -> list[dict[str, str]]:
        """Returns the runs that wait to be launched, are launched, or execute something."""
        runs: list[dict[str, str]] = self.ask(IN_PROGRESS)["runsOrError"]["results"]
        return runs

    def run_status(self, run_id: str) -> str:
        """Returns Dagster's word for the state of a run."""
        query = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
        status: str = self.ask(query, id=run_id)["runOrError"]["status"]
        return status

    def answers(self) -> bool:
        """Return whether the webserver is up."""
        try:
            return bool(self.ask("{ version }"))
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


@contextmanager
def running_dagster_dev(
    workspaces: Sequence[Path],
    home: Path,
    storage_url: str,
    environment: Mapping[str, str],
    more_settings: str = "",
) -> Iterator[DagsterDev]:
    """Yields a `dagster dev` on the workspaces; its log is `dagster.log` in the home.

    With the home and the storage of one that has ended it goes on where that was.
    """
    write_settings(home, storage_url, more_settings)
    command = ["dagster", "dev"]
    for workspace in workspaces:
        command += ["--workspace", str(workspace)]
    with running(command, workspaces[0].parent, home, environment) as dagster:
        yield dagster


def write_settings(home: Path, storage_url: str, more_settings: str = "") -> None:
    """Writes the `dagster.yaml` of a Dagster that hurries."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "dagster.yaml").write_text(DAGSTER_YAML.format(url=storage_url) + more_settings)


def environment_of(home: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment of a program of this Python, with a home of Dagster."""
    return {
        **os.environ,
        **environment,
        "DAGSTER_HOME": str(home),
        # A machine that is busy with other tests takes long to start a process.
        "DAGSTER_GRPC_TIMEOUT_SECONDS": "300",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


@contextmanager
def running(
    command: Sequence[str], folder: Path, home: Path, environment: Mapping[str, str]
) -> Iterator[DagsterDev]:
    """Yields the Dagster that a command starts in a folder.

    Args:
        command: The command, such as `dagster dev`; it takes `--port`.
        folder: The folder.
        home: Where its settings are; its log is `dagster.log` there.
        environment: What it gets besides the environment of this process.
    """
    port = _free_port()
    program = Path(sys.executable).with_name(command[0])
    with (home / "dagster.log").open("a") as log:
        process = subprocess.Popen(
            [str(program), *command[1:], "--port", str(port)],
            cwd=folder,
            env=environment_of(home, environment),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            dagster = DagsterDev(f"http://127.0.0.1:{port}", home)
            poll(lambda: dagster.answers() or process.poll() is not None, timeout=START_S)
            assert process.poll() is None, (home / "dagster.log").read_text()
            yield dagster
        finally:
            _end_group(process)


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    try:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(STOP_S)
    except ProcessLookupError:
        process.wait()
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

"""A Dagster of a test's own: a code server as deployments have one, and no queue."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import dagster as dg

from dagster_pgflow.names import TAG_RUN_ID
from dagster_pgflow.store.database import Database
from tests.execution.projecting import World, opened_world
from tests.polling import poll
from tests.postgres import Session
from tests.warm_processes import WarmProcess, forker

SETTINGS = """
telemetry: {enabled: false}
run_coordinator: {module: dagster._core.run_coordinator, class: DefaultRunCoordinator}
"""

CODE = """
import os
import signal
import time
from pathlib import Path

from dagster_pgflow import build_repository

FOLDER = Path(os.environ["DAGSTER_HOME"])


def listed(value):
    return [1, 2, 3]


def repairable(value):
    with (FOLDER / "tried").open("a") as traces:
        print(value, file=traces)
    if value == 2 and not (FOLDER / "repaired").exists():
        raise ValueError("2 is broken")
    return value


def deadly(value):
    with (FOLDER / "tried").open("a") as traces:
        print(value, file=traces)
    if value == 2 and not (FOLDER / "repaired").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    return value * 10


def endless(value):
    (FOLDER / "begun").touch()
    while True:
        time.sleep(0.05)


handlers = {f.__name__: f for f in (listed, repairable, deadly, endless)}
flows = build_repository(handlers=[handlers])
"""


class RunningDagster:
    """The instance that DAGSTER_HOME names, its code server, and the run tables.

    Attributes:
        folder: The home.
        world: The store, and what its sensors would do.
    """

    def __init__(self, folder: Path, world: World) -> None:
        self.folder = folder
        self.world = world
        self._socket = folder / "socket"

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serves the flows that there are."""
        (self.folder / "shop.py").write_text(CODE)
        where = {"host": "localhost", "socket": str(self._socket), "location_name": "shop"}
        workspace = json.dumps({"load_from": [{"grpc_server": where}]})
        (self.folder / "workspace.yaml").write_text(workspace)
        self._socket.unlink(missing_ok=True)
        command = ["api", "grpc", "--socket", str(self._socket), "--python-file", "shop.py"]
        process = self._dagster(*command, "--location-name", "shop")
        try:
            poll(self._socket.exists)
            yield
        finally:
            process.terminate()
            process.wait()

    def launch(self, slug: str, run_id: UUID) -> UUID:
        """Starts a run as a deployment does, and returns its id in Dagster."""
        dagster_run_id = uuid4()
        process = self._dagster(
            *("job", "launch", "--job", slug),
            *("--workspace", "workspace.yaml", "--run-id", str(dagster_run_id)),
            *("--config-json", json.dumps({"inputs": {"flow_input": {}}})),
            *("--tags", json.dumps({TAG_RUN_ID: str(run_id)})),
        )
        assert process.wait() == 0
        return dagster_run_id

    def ended(self, dagster_run_id: UUID | str) -> str:
        """Waits for the end of a run, does what the sensors do, and returns how it ended."""

        def status() -> dg.DagsterRun | None:
            run = self.world.instance.get_run_by_id(str(dagster_run_id))
            return run if run is not None and run.is_finished else None

        run = poll(status)
        self.world.settle()
        assert run is not None
        return run.status.value

    def _dagster(self, *words: str) -> WarmProcess:
        return forker().fork("dagster", *words, environment=os.environ, folder=self.folder)

    def row(self, run_id: UUID | str) -> dict[str, Any]:
        """Returns the row of a run."""
        return self.world.one("runs", f"run_id = '{run_id}'")


@contextmanager
def dagster_in(folder: Path, database: Database, sql: Session) -> Iterator[RunningDagster]:
    """Opens the instance of a home, which the environment names already."""
    (folder / "dagster.yaml").write_text(SETTINGS)
    with dg.DagsterInstance.get() as instance, opened_world(database, sql, instance) as world:
        yield RunningDagster(folder, world)

"""A Dagster whose launcher is ours, and runs that are launched in it as its daemon would."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import dagster as dg
import yaml
from dagster._core.workspace.load_target import PythonFileTarget

from dagster_pgflow.launching.flow_runs import create_flow_run
from dagster_pgflow.live.target import ServedLocation, import_location
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.live_runs import LiveRuns
from tests.live.recorded_launcher import RecordedLauncher
from tests.live.worker import LOCATION
from tests.polling import poll

LAUNCHER = "run_launcher"


@dataclass
class Launching:
    """Launches runs of flows.

    Attributes:
        instance: The Dagster instance.
        served: The code location.
        asked: The file in which the other launcher notes what it is asked for.
    """

    instance: dg.DagsterInstance
    served: ServedLocation
    asked: Path

    def create(self, slug: str, given: Any = None, watermark: int | None = None) -> dg.DagsterRun:
        """Returns a run of a flow as the web server makes it for its launchpad."""
        at = watermark or Catalog(self.served.location.database).watermark()
        pinned = self.served.location.pinned_job(slug, at)
        return create_flow_run(
            self.instance,
            pinned.job,
            self.served.origins,
            watermark=at,
            run_id=uuid4(),
            run_config={"inputs": {"flow_input": given}},
            tags={},
        )

    def launch(self, run: dg.DagsterRun) -> None:
        workspace: Any = None
        self.instance.launch_run(run.run_id, workspace)

    def launched(self, slug: str, given: Any = None) -> dg.DagsterRun:
        run = self.create(slug, given)
        self.launch(run)
        return run

    def status(self, run: dg.DagsterRun) -> str:
        found = self.instance.get_run_by_id(run.run_id)
        assert found is not None
        return found.status.value

    def wait_for(self, run: dg.DagsterRun, *statuses: str) -> str:
        poll(lambda: self.status(run) in statuses, timeout=90)
        return self.status(run)

    def left_to_the_other(self) -> list[tuple[str, str]]:
        """Returns what the other launcher was asked for: the word, and the run."""
        lines = self.asked.read_text().splitlines() if self.asked.exists() else []
        return [(line.split()[0], line.split()[1]) for line in lines]

    def said(self, run: dg.DagsterRun) -> str:
        """Returns what stands in the log of a run, outside of its steps."""
        events = self.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
        return "\n".join(event.message for event in events)

    def row(self, run: dg.DagsterRun) -> bool | None:
        """Returns whether a worker has a run, or it waits for one; `None` when neither."""
        return LiveRuns(self.served.location.database).is_taken(UUID(run.run_id))


@contextmanager
def launching_in(home: Path, config: Mapping[str, Any]) -> Iterator[Launching]:
    """Yields what launches; the environment names store and home."""
    asked = home / "asked"
    settings = yaml.safe_load((home / "dagster.yaml").read_text())
    wrapped = {
        "module": RecordedLauncher.__module__,
        "class": RecordedLauncher.__name__,
        "config": {"asked": str(asked)},
    }
    settings[LAUNCHER] = {
        "module": "dagster_pgflow.live_launcher",
        "class": "LiveRunLauncher",
        "config": {"launcher": wrapped, "wait_s": 30.0, **config},
    }
    (home / "dagster.yaml").write_text(yaml.safe_dump(settings))
    [origin] = PythonFileTarget(str(LOCATION), None, str(Path.cwd()), None).create_origins()
    # Dagster imports a file once in a process.
    sys.modules.pop(LOCATION.stem, None)
    served = import_location(origin)
    assert served is not None
    with dg.DagsterInstance.get() as instance:
        yield Launching(instance, served, asked)
    served.location.database.close()

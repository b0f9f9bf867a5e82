"""The folder of the demo: Dagster's home, the workspace, the log, the lock."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.settings import data_dir

LOCATION = "pgflow"
MODULE = "dagster_pgflow.examples.definitions"


@dataclass(frozen=True)
class DemoHome:
    """The folder, which is DAGSTER_HOME of the demo; a second demo finds what the first left.

    Attributes:
        path: Where it is.
    """

    path: Path

    @classmethod
    def beside_data(cls) -> "DemoHome":
        """Return the folder beside the data folder of the embedded PostgreSQL."""
        data = data_dir()
        return cls(data.with_name(f"{data.name}-demo"))

    @property
    def workspace(self) -> Path:
        """The workspace that `dagster dev` loads."""
        return self.path / "workspace.yaml"

    @property
    def log(self) -> Path:
        """What Dagster says."""
        return self.path / "dagster.log"

    @property
    def live_log(self) -> Path:
        """What the live worker says."""
        return self.path / "live.log"

    @property
    def report(self) -> Path:
        """What the flow `measure_docs` writes."""
        return self.path / "docs-report.md"

    def write_settings(self, storage_url: str) -> None:
        """Write dagster.yaml and the workspace.

        Args:
            storage_url: Where Dagster keeps its runs, with the driver that it needs.
        """
        settings = {
            "storage": {"postgres": {"postgres_url": storage_url}},
            # Each launch waits for a process to start; one after the other they take a minute.
            "run_coordinator": {
                "module": "dagster",
                "class": "QueuedRunCoordinator",
                "config": {
                    "dequeue_interval_seconds": 1,
                    "dequeue_use_threads": True,
                    "dequeue_num_workers": 3,
                },
            },
            "telemetry": {"enabled": False},
            "nux": {"enabled": False},
        }
        module = {"module_name": MODULE, "location_name": LOCATION}
        _write(self.path / "dagster.yaml", settings)
        _write(self.workspace, {"load_from": [{"python_module": module}]})

    @contextmanager
    def locked(self, address: str) -> Iterator[None]:
        """Make the folder and keep other demos out of it.

        Args:
            address: Where this demo will be, for those who are kept out.

        Raises:
            ConfigurationError: Another demo runs, or the folder cannot be made.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"The folder {self.path} cannot be used ({error.strerror}); choose another place"
                " with PGFLOW_DATA_DIR."
            ) from error
        try:
            _lock(descriptor)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, address.encode(), 0)
            yield
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        address = os.pread(descriptor, 200, 0).decode(errors="replace")
        raise ConfigurationError(
            f"A demo is running already, at {address}; end it with Ctrl-C where it was started, or"
            " set PGFLOW_DATA_DIR to a new folder for a second one."
        ) from None


def _write(path: Path, content: dict[str, object]) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

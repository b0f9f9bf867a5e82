"""A run launcher that knows which process executes a run, as those of containers do."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
from dagster import DagsterRun
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._serdes import ConfigurableClass
from dagster._serdes.config_class import ConfigurableClassData


class KnownProcess(RunLauncher[Any], ConfigurableClass):
    """Answers for the process whose id is in a file; without a file it cannot say."""

    def __init__(self, pid_file: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Dagster says nothing of it
        self._pid_file = Path(pid_file)
        self._inst_data = inst_data

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        return self._inst_data

    @classmethod
    def config_type(cls) -> Any:
        return {"pid_file": str}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "KnownProcess":
        return cls(config_value["pid_file"], inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        raise NotImplementedError

    def terminate(self, run_id: str) -> bool:  # noqa: ARG002  one process, one run
        return False

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(
        self,
        run: DagsterRun,  # noqa: ARG002  one process, one run
    ) -> CheckRunHealthResult:
        if not self._pid_file.exists():
            return CheckRunHealthResult(WorkerStatus.UNKNOWN)
        pid = int(self._pid_file.read_text())
        if psutil.pid_exists(pid):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, f"there is no process {pid}")

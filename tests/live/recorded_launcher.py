"""A run launcher that starts nothing, and keeps what it was asked for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.launcher.base import (
    CheckRunHealthResult,
    LaunchRunContext,
    ResumeRunContext,
    RunLauncher,
    WorkerStatus,
)
from dagster._serdes import ConfigurableClass, ConfigurableClassData


class RecordedLauncher(RunLauncher[Any], ConfigurableClass):
    """Writes into a file what it is asked for, a line each."""

    def __init__(self, asked: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Dagster says nothing of it
        self._asked = Path(asked)
        self._inst_data = inst_data

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        return self._inst_data

    @classmethod
    def config_type(cls) -> Any:
        return {"asked": dg.StringSource}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "RecordedLauncher":
        return cls(config_value["asked"], inst_data)

    def _note(self, what: str, run_id: str) -> None:
        with self._asked.open("a") as asked:
            asked.write(f"{what} {run_id}\n")

    def launch_run(self, context: LaunchRunContext) -> None:
        self._note("launch", context.dagster_run.run_id)

    def terminate(self, run_id: str) -> bool:
        self._note("terminate", run_id)
        return False

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        self._note("check", run.run_id)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND)

    @property
    def supports_resume_run(self) -> bool:
        return True

    def resume_run(self, context: ResumeRunContext) -> None:
        self._note("resume", context.dagster_run.run_id)

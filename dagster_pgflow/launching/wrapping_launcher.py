"""A run launcher around another one, which does what the outer one leaves to it."""

from typing import Any

import dagster as dg

from dagster_pgflow.launching.compat import (
    ConfigurableClass,
    ConfigurableClassData,
    ResumeRunContext,
    RunLauncher,
)


class WrappingLauncher(RunLauncher[Any], ConfigurableClass):
    """Leaves everything to another launcher.

    Args:
        wrapped: The other launcher.
        inst_data: What Dagster read in its `dagster.yaml`.

    Attributes:
        wrapped: The other launcher.
    """

    def __init__(
        self, wrapped: RunLauncher[Any], inst_data: ConfigurableClassData | None = None
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Dagster says nothing of it
        self.wrapped = wrapped
        self._inst_data = inst_data

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """What Dagster read in its `dagster.yaml`."""
        return self._inst_data

    def register_instance(self, instance: dg.DagsterInstance) -> None:
        """Say which Dagster it is."""
        super().register_instance(instance)
        self.wrapped.register_instance(instance)

    def launch_run(self, context: Any) -> None:
        """Begin the execution of a run."""
        self.wrapped.launch_run(context)

    def terminate(self, run_id: str) -> bool:
        """End a run; return whether its process was told."""
        return self.wrapped.terminate(run_id)

    def dispose(self) -> None:
        """Close what is open."""
        self.wrapped.dispose()

    def join(self, timeout: int = 30) -> None:
        """Wait for the processes that it has started."""
        self.wrapped.join(timeout)

    def get_run_worker_debug_info(
        self,
        run: dg.DagsterRun,
        include_container_logs: bool | None = True,  # noqa: FBT001, FBT002  as Dagster calls it
    ) -> str | None:
        """Return what the platform says of the process of a run that failed."""
        return self.wrapped.get_run_worker_debug_info(run, include_container_logs)

    @property
    def supports_resume_run(self) -> bool:
        """Whether a run whose process is gone can go on in another one."""
        return self.wrapped.supports_resume_run

    def resume_run(self, context: ResumeRunContext) -> None:
        """Have another process go on with a run."""
        self.wrapped.resume_run(context)


def ordinary_launcher(launcher: RunLauncher[Any]) -> RunLauncher[Any]:
    """Return the launcher that starts processes, whatever is around it."""
    while isinstance(launcher, WrappingLauncher):
        launcher = launcher.wrapped
    return launcher

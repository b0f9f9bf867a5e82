"""A compute log manager that starts no processes."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, Self

import dagster as dg

from dagster_pgflow.compute_logs.compat import (
    CapturedLogContext,
    ConfigurableClassData,
    LocalComputeLogManager,
)
from dagster_pgflow.compute_logs.redirection import Name, Redirection
from dagster_pgflow.errors import LogsLost

FILES: Final[Mapping[Name, str]] = {"stdout": "out", "stderr": "err"}
"""How Dagster's files end, by stream."""


class PlainComputeLogManager(LocalComputeLogManager):
    """Keeps what steps print in the files in which Dagster's `LocalComputeLogManager` keeps it.

    That one starts four processes for each process that executes steps, to show on the console too
    what goes to the files. This one only sends it to the files.

    Args:
        base_dir: The folder of the files.
        polling_timeout: How often the web server looks for news, in seconds.
        echo: Whether the console shows it too; then the processes are started.
        inst_data: What Dagster read in its `dagster.yaml`.
    """

    def __init__(
        self,
        base_dir: str,
        polling_timeout: float | None = None,
        *,
        echo: bool = False,
        inst_data: ConfigurableClassData | None = None,
    ) -> None:
        super().__init__(base_dir, polling_timeout, inst_data)
        self._echo = echo

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Return what a `dagster.yaml` may say."""
        return {
            "base_dir": dg.StringSource,
            "polling_timeout": dg.Field(float, is_required=False),
            "echo": dg.Field(bool, is_required=False),
        }

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        """Return what a `dagster.yaml` describes."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Generator[CapturedLogContext, None, None]:
        """Send to files what is printed meanwhile.

        Dagster notes in the log of the run what is raised here, and goes on with the run.

        Raises:
            LogsLost: The files cannot be made, or have not everything that was printed.
        """
        if self._echo:
            with super().capture_logs(log_key) as context:
                yield context
            return
        with ExitStack() as stack:
            redirections = self._begin(log_key, stack)
            try:
                yield CapturedLogContext(log_key)
            finally:
                stack.close()
                trouble = self._complete(log_key)
        # Not after an error, which matters more.
        errors = [*(redirection.error for redirection in redirections), trouble]
        for error in filter(None, errors):
            raise LogsLost(self._sentence("is not complete", log_key, error)) from error

    def _begin(self, log_key: Sequence[str], stack: ExitStack) -> list[Redirection]:
        redirections = []
        try:
            for name, extension in FILES.items():
                path = Path(self.get_captured_local_path(log_key, extension))
                path.parent.mkdir(parents=True, exist_ok=True)
                redirection = Redirection(name, path)
                redirection.begin()
                stack.callback(redirection.end)
                redirections.append(redirection)
        except OSError as error:
            stack.close()
            raise LogsLost(self._sentence("cannot be kept", log_key, error)) from error
        return redirections

    def _complete(self, log_key: Sequence[str]) -> OSError | None:
        """Leave the mark by which readers know that nothing more comes; return what was wrong."""
        try:
            Path(self.get_captured_local_path(log_key, "complete")).touch()
        except OSError as error:
            return error
        return None

    def _sentence(self, what: str, log_key: Sequence[str], error: OSError) -> str:
        folder = Path(self._base_dir, *log_key[:-1])
        return (
            f"What this process prints {what} in the folder {folder}: {error.strerror or error}."
            " The run goes on without it; make room there, or let this account write there."
        )

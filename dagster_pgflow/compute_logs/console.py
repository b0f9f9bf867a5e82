"""What a run says on the console of a process of ours that executes many."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from dagster_pgflow.compute_logs.compat import creation_of_runs, default_system_loggers


def silence_console() -> None:
    """Have Dagster write no event of a run to standard error, from now on in this process.

    Dagster 1.13 formats every event and writes it there, for each run that says nothing of loggers.
    A `loggers` section in a run's config, loggers of a job, and `python_logs: python_log_level` of
    a deployment hold as ever. What is stored of a run is the same.
    """

    def loggers(
        instance: dg.DagsterInstance | None,
    ) -> Sequence[tuple[dg.LoggerDefinition, Mapping[str, Any]]]:
        is_asked_for = instance is not None and instance.python_log_level
        return default_system_loggers(instance) if is_asked_for else []

    creation_of_runs.default_system_loggers = loggers  # type: ignore[attr-defined]

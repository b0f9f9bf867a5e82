"""The private parts of Dagster that the logs of steps need, each with the reason.

Tried with Dagster 1.13.
"""

# Which loggers a run gets that names none. Public code can only name some in the config of each
# run, where everybody sees them, or for everything that a deployment logs and stores.
from dagster._core.execution import context_creation_job as creation_of_runs

# Where the files of a run lie, how the web UI reads them, and when they are complete. The class is
# public to name in a dagster.yaml, but not to import; and how it captures is one method of it.
from dagster._core.storage.compute_log_manager import CapturedLogContext
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._loggers import default_system_loggers

# What makes an object from its lines in a dagster.yaml.
from dagster._serdes import ConfigurableClassData

__all__ = [
    "CapturedLogContext",
    "ConfigurableClassData",
    "LocalComputeLogManager",
    "creation_of_runs",
    "default_system_loggers",
]

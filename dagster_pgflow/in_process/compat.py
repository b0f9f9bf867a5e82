"""The private parts of Dagster that a run in process needs, each with the reason.

Tried with Dagster 1.13.
"""

# A job executed in this process with the executor that it has. Public code gives it another one,
# which takes Ctrl-C for a loss that somebody else makes good.
# What an instance in memory is made of. Public code can only have Dagster make all of it, the
# tables of both storages anew each time, which takes longer than a run of some steps.
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS
from dagster._core.execution.execute_in_process import core_execute_in_process
from dagster._core.instance import InstanceType
from dagster._core.launcher.sync_in_memory_run_launcher import SyncInMemoryRunLauncher
from dagster._core.run_coordinator import DefaultRunCoordinator
from dagster._core.storage.event_log import InMemoryEventLogStorage
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._core.storage.root import TemporaryLocalArtifactStorage
from dagster._core.storage.runs import InMemoryRunStorage
from dagster._core.storage.sqlite import create_in_memory_conn_string

__all__ = [
    "ASSET_CHECK_EVENTS",
    "ASSET_EVENTS",
    "DefaultRunCoordinator",
    "InMemoryEventLogStorage",
    "InMemoryRunStorage",
    "InstanceType",
    "NoOpComputeLogManager",
    "SqlEventLogStorage",
    "SyncInMemoryRunLauncher",
    "TemporaryLocalArtifactStorage",
    "core_execute_in_process",
    "create_in_memory_conn_string",
]

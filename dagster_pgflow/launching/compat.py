"""The private parts of Dagster that runs need which are created outside its daemon.

Tried with Dagster 1.13.
"""

# Where a code server has its code. Only the daemon and the webserver, who have connected to the
# server, know that; a process of the server has to ask as they do.
from dagster._api.list_repositories import sync_list_repositories_grpc

# What the processes of a run hear of how the code location was loaded. It can be made and read with
# public code, but has no public name.
from dagster._core.definitions.repository_definition import RepositoryLoadData
from dagster._core.execution.api import create_execution_plan

# What launches runs, and what it is told and says. A dagster.yaml may name a class of one's own,
# but what that has to be has no public name.
from dagster._core.launcher.base import (
    CheckRunHealthResult,
    LaunchRunContext,
    ResumeRunContext,
    RunLauncher,
    WorkerStatus,
)

# How a run names its code location: by the code that its processes load, and by the server that
# launches it. A sensor's context has half of the second, and nothing public makes the rest of it.
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import RemoteJobOrigin, RemoteRepositoryOrigin

# The plan of a run as Dagster keeps it, which pins the run: public code can only create a run that
# is said to execute part of its job.
from dagster._core.snap.execution_plan_snapshot import snapshot_from_execution_plan

# By which the daemon knows that a request of a sensor has its run, and by which the web UI knows
# which run goes on with which. It repeats no tag that says how the run before was launched.
from dagster._core.storage.tags import (
    BACKFILL_ID_TAG,
    HIDDEN_TAG_PREFIX,
    PARENT_RUN_ID_TAG,
    RESUME_RETRY_TAG,
    ROOT_RUN_ID_TAG,
    SENSOR_NAME_TAG,
    TAGS_TO_MAYBE_OMIT_ON_RETRY,
)

# What makes an object from its lines in a dagster.yaml.
from dagster._serdes import ConfigurableClass, ConfigurableClassData

__all__ = [
    "BACKFILL_ID_TAG",
    "HIDDEN_TAG_PREFIX",
    "PARENT_RUN_ID_TAG",
    "RESUME_RETRY_TAG",
    "ROOT_RUN_ID_TAG",
    "SENSOR_NAME_TAG",
    "TAGS_TO_MAYBE_OMIT_ON_RETRY",
    "CheckRunHealthResult",
    "ConfigurableClass",
    "ConfigurableClassData",
    "JobPythonOrigin",
    "LaunchRunContext",
    "RemoteJobOrigin",
    "RemoteRepositoryOrigin",
    "RepositoryLoadData",
    "RepositoryPythonOrigin",
    "ResumeRunContext",
    "RunLauncher",
    "WorkerStatus",
    "create_execution_plan",
    "snapshot_from_execution_plan",
    "sync_list_repositories_grpc",
]

"""The private parts of Dagster that the live worker needs, each with the reason.

Tried with Dagster 1.13.
"""

# Executes a run that exists already, in this process. Public code can only execute a job as a run
# that belongs to no code location.
# Which code location a run belongs to: without it Dagster's UI shows the run under no job, and can
# neither execute it again nor let a daemon take it over. Public code makes runs through a daemon.
# What `dagster dev` and `dagster code-server start` understand of -f, -m and -w. Public code has
# these as commands only.
from dagster._cli.workspace.cli_target import workspace_opts_to_load_target
from dagster._core.definitions.definitions_load_context import (
    DefinitionsLoadContext,
    DefinitionsLoadType,
)
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.definitions.reconstruct import repository_def_from_target_def

# What Dagster's own run worker writes where a run cannot even begin.
from dagster._core.events import EngineEventData
from dagster._core.execution.api import execute_run_iterator
from dagster._core.origin import RepositoryPythonOrigin
from dagster._core.remote_origin import (
    CodeLocationOrigin,
    GrpcServerCodeLocationOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.storage.tags import SENSOR_NAME_TAG
from dagster._core.types.loadable_target_origin import enter_loadable_target_origin_load_context
from dagster._core.workspace.load_target import ModuleTarget, PythonFileTarget
from dagster._grpc.server import _get_code_pointer as code_pointer_of
from dagster._grpc.utils import get_loadable_targets
from dagster_shared.cli import WorkspaceOpts

__all__ = [
    "SENSOR_NAME_TAG",
    "CodeLocationOrigin",
    "DefinitionsLoadContext",
    "DefinitionsLoadType",
    "EngineEventData",
    "GrpcServerCodeLocationOrigin",
    "InMemoryJob",
    "ModuleTarget",
    "PythonFileTarget",
    "RemoteRepositoryOrigin",
    "RepositoryPythonOrigin",
    "WorkspaceOpts",
    "code_pointer_of",
    "enter_loadable_target_origin_load_context",
    "execute_run_iterator",
    "get_loadable_targets",
    "repository_def_from_target_def",
    "workspace_opts_to_load_target",
]

"""The private parts of Dagster that only the command line needs, each with the reason.

They stand apart from those of `dagster_pgflow.compat`, because a run worker should not import them.
Tried with Dagster 1.13.
"""

# What the web server does for "re-execute from failure": ask the code location for the job and
# for a plan of the steps that are left, and submit a run of them. Public code can only do so over
# HTTP, if a web server runs and its address is known, or execute the run in its own process.
from dagster._core.definitions.selector import JobSubsetSelector
from dagster._core.execution.plan.resume_retry import ReexecutionStrategy
from dagster._core.remote_origin import (
    CodeLocationOrigin,
    GrpcServerCodeLocationOrigin,
    RemoteJobOrigin,
)
from dagster._core.workspace.context import WorkspaceProcessContext, WorkspaceRequestContext
from dagster._core.workspace.load_target import (
    GrpcServerTarget,
    ModuleTarget,
    PythonFileTarget,
    WorkspaceLoadTarget,
)

__all__ = [
    "CodeLocationOrigin",
    "GrpcServerCodeLocationOrigin",
    "GrpcServerTarget",
    "JobSubsetSelector",
    "ModuleTarget",
    "PythonFileTarget",
    "ReexecutionStrategy",
    "RemoteJobOrigin",
    "WorkspaceLoadTarget",
    "WorkspaceProcessContext",
    "WorkspaceRequestContext",
]

"""The private parts of Dagster that only the command line needs, each with the reason.

They stand apart from those of `dagster_pgflow.compat`, because a run worker should not import them.
Tried with Dagster 1.13.
"""

# What the web server does for "re-execute from failure": ask the code location for the job and
# for a plan of the steps that are left, and submit a run of them. Public code can only do so over
# HTTP, if a web server runs and its address is known, or execute the run in its own process; and
# it cannot say which steps are left.
from dagster._core.definitions.selector import JobSubsetSelector
from dagster._core.remote_origin import (
    CodeLocationOrigin,
    GrpcServerCodeLocationOrigin,
    RemoteJobOrigin,
)
from dagster._core.remote_representation.code_location import CodeLocation
from dagster._core.remote_representation.external import RemoteJob
from dagster._core.workspace.context import WorkspaceProcessContext, WorkspaceRequestContext
from dagster._core.workspace.load_target import (
    GrpcServerTarget,
    ModuleTarget,
    PythonFileTarget,
    WorkspaceLoadTarget,
)

# The job of a run by the code that the run names, as its run worker loads it. Public code loads a
# job by a function that makes it alone.
from dagster._utils.hosted_user_process import recon_job_from_origin

__all__ = [
    "CodeLocation",
    "CodeLocationOrigin",
    "GrpcServerCodeLocationOrigin",
    "GrpcServerTarget",
    "JobSubsetSelector",
    "ModuleTarget",
    "PythonFileTarget",
    "RemoteJob",
    "RemoteJobOrigin",
    "WorkspaceLoadTarget",
    "WorkspaceProcessContext",
    "WorkspaceRequestContext",
    "recon_job_from_origin",
]

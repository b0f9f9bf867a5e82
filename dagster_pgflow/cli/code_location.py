"""The code location that executed a run, for those who submit another run to it."""

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dagster as dg

from dagster_pgflow.cli.compat import (
    CodeLocationOrigin,
    GrpcServerCodeLocationOrigin,
    GrpcServerTarget,
    ModuleTarget,
    PythonFileTarget,
    WorkspaceLoadTarget,
    WorkspaceProcessContext,
    WorkspaceRequestContext,
)
from dagster_pgflow.cli.dagster_instance import without_passwords
from dagster_pgflow.errors import ConfigurationError

LONGEST_REASON = 300
LOG_LEVEL = "ERROR"
"""A code server that is started here would log each of its steps."""


@contextmanager
def opened_code_location(
    instance: dg.DagsterInstance, origin: CodeLocationOrigin
) -> Iterator[WorkspaceRequestContext]:
    """Open a workspace that has the code location of a run.

    It is asked where it was when the run began. A `dagster dev` that was restarted since has it
    somewhere else: then its code is loaded here, which is enough to put a run into the queue of
    that Dagster.

    Args:
        origin: Where the run says that it came from.

    Raises:
        ConfigurationError: It cannot be reached.
    """
    reason = "Dagster does not say where it is."
    for target in _targets(instance, origin):
        with _quietly_opened(instance, target) as workspace:
            failure = next(iter(workspace.code_location_errors()), None)
            if failure is None:
                yield workspace
                return
            reason = without_passwords(Exception(failure.message))[:LONGEST_REASON]
    raise ConfigurationError(
        f'The code location "{origin.location_name}", which executed this run, does not answer;'
        f" start your Dagster, or use Re-execute in its web UI. {reason}"
    )


@contextmanager
def _quietly_opened(
    instance: dg.DagsterInstance, target: WorkspaceLoadTarget
) -> Iterator[WorkspaceRequestContext]:
    with ExitStack() as stack:
        with warnings.catch_warnings():
            # A location that does not load is a warning with a stack trace (Dagster 1.13).
            warnings.simplefilter("ignore")
            process = stack.enter_context(
                WorkspaceProcessContext(instance, target, code_server_log_level=LOG_LEVEL)
            )
        yield process.create_request_context()


def _targets(
    instance: dg.DagsterInstance, origin: CodeLocationOrigin
) -> Iterator[WorkspaceLoadTarget]:
    name = origin.location_name
    if not isinstance(origin, GrpcServerCodeLocationOrigin):
        code = origin.get_display_metadata()
    else:
        code = origin.additional_metadata or {}
        use_ssl = bool(origin.use_ssl)
        yield GrpcServerTarget(origin.host, origin.port, origin.socket, name, use_ssl)
    # Without a queue the run would belong to the code server that is started here.
    if not isinstance(instance.run_coordinator, dg.QueuedRunCoordinator):
        return
    folder, attribute = code.get("working_directory"), code.get("attribute")
    if "python_file" in code:
        file = Path(folder or ".") / code["python_file"]
        yield PythonFileTarget(str(file), attribute, folder, name)
    elif "module_name" in code:
        yield ModuleTarget(code["module_name"], attribute, folder, name)

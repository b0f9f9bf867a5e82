"""Where a run of a flow comes from, as Dagster notes it: who launches it, and from which code.

A run that Dagster's daemon creates gets that from the code server. Whoever creates one elsewhere
has to know it as well.
"""

import sys
from dataclasses import dataclass
from typing import Any

import dagster as dg

from dagster_pgflow.launching.compat import (
    JobPythonOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
    RepositoryLoadData,
    RepositoryPythonOrigin,
    sync_list_repositories_grpc,
)
from dagster_pgflow.names import LOAD_DATA_KEY


@dataclass(frozen=True)
class Origins:
    """The repository of a code location, as runs name it.

    Attributes:
        remote: By which address of which code server; the run launcher asks there.
        code: From which module, image and so on; `None` where the daemon starts the code server by
            itself, whose runs are launched by that server alone.
        load_data: What the processes of a run get to hear of how the location was loaded.
    """

    remote: RemoteRepositoryOrigin
    code: RepositoryPythonOrigin | None
    load_data: RepositoryLoadData | None

    def remote_job(self, job_name: str) -> RemoteJobOrigin:
        """Return the address of a job; the location need not list it."""
        return self.remote.get_job_origin(job_name)

    def job_code(self, job_name: str) -> JobPythonOrigin | None:
        """Return the code of a job."""
        return None if self.code is None else self.code.get_job_origin(job_name)

    def pinned_to(self, watermark: int) -> RepositoryLoadData | None:
        """Return what the processes of a run of this watermark get to hear.

        The location's own watermark is replaced. What others keep there stays: definitions that
        share the location find in it what they fetched when it was loaded.
        """
        return pinned_load_data(self.load_data, watermark)


def pinned_load_data(
    loaded: RepositoryLoadData | None, watermark: int
) -> RepositoryLoadData | None:
    """Return the load data of a repository, pinned to a watermark.

    Args:
        loaded: That of the code location, if there is any.
        watermark: The flows that a run executes.
    """
    kept = {} if loaded is None else loaded.reconstruction_metadata
    texts = {key: value.value for key, value in kept.items()} | {LOAD_DATA_KEY: str(watermark)}

    @dg.repository(name="load_data")
    def nothing() -> list[dg.JobDefinition]:
        return []

    state = None if loaded is None else loaded.defs_state_info
    pinned = nothing.replace_repository_load_data(texts, state).repository_load_data
    if loaded is None or pinned is None:
        return pinned
    return loaded._replace(reconstruction_metadata=pinned.reconstruction_metadata)


def origins_of(code_location_origin: Any, repository: dg.RepositoryDefinition) -> Origins:
    """Return the origins of a repository of this process.

    Args:
        code_location_origin: The code location, as a sensor's context has it.
        repository: The repository.

    Raises:
        DagsterError: The code server does not answer.
    """
    connect = getattr(code_location_origin, "create_client", None)
    return Origins(
        RemoteRepositoryOrigin(code_location_origin, repository.name),
        None if connect is None else _code_origin(connect(), repository.name),
        repository.repository_load_data,
    )


def _code_origin(client: Any, repository: str) -> RepositoryPythonOrigin | None:
    """Return what the code server tells of where its code is, as `dagster` reads it."""
    told = sync_list_repositories_grpc(client)
    pointer = told.repository_code_pointer_dict.get(repository)
    if pointer is None:
        return None
    return RepositoryPythonOrigin(
        executable_path=told.executable_path or sys.executable,
        code_pointer=pointer,
        container_image=told.container_image,
        entry_point=told.entry_point,
        container_context=told.container_context,
    )

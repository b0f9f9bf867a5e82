"""Executes a run as a run worker does: `python -m tests.hosts.run_flow JOB CONFIG TAGS`."""

import json
import sys
from pathlib import Path

import dagster as dg
from dagster._core.definitions.reconstruct import (
    ReconstructableRepository,
    initialize_repository_def_from_pointer,
)

LOCATION = Path(__file__).with_name("location.py")


def main(job: str, config: str, tags: str) -> None:
    """Loads the location as a code server does, and runs a job of it, pinned to that load."""
    repository = ReconstructableRepository.for_file(str(LOCATION), "defs")
    loaded = initialize_repository_def_from_pointer(repository.pointer)
    pinned = repository.with_repository_load_data(loaded.repository_load_data)
    with dg.DagsterInstance.get() as instance:
        dg.execute_job(
            pinned.get_reconstructable_job(job),
            instance,
            run_config=json.loads(config),
            tags=json.loads(tags),
        )


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The Dagster instance that DAGSTER_HOME names."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import dagster as dg

from dagster_pgflow.cli.dagster_home import HOME_VARIABLE, dagster_home
from dagster_pgflow.errors import ConfigurationError, StoreRefused

_PASSWORD = re.compile(r"(://[^:/@\s]*):[^@\s]*@")


def without_passwords(error: Exception) -> str:
    """Return what an error says as one line; Dagster's own may quote a whole configuration."""
    return _PASSWORD.sub(r"\1:***@", " ".join(str(error).split()))


@contextmanager
def opened_instance() -> Iterator[dg.DagsterInstance]:
    """Open the Dagster instance of the environment.

    Raises:
        ConfigurationError: DAGSTER_HOME is not set, or its dagster.yaml cannot be used.
    """
    dagster_home()
    try:
        instance = dg.DagsterInstance.get()
    except Exception as error:
        reason = without_passwords(error)
        raise ConfigurationError(
            f"Dagster cannot be opened with {HOME_VARIABLE}={os.environ[HOME_VARIABLE]}: {reason}"
        ) from error
    with instance:
        yield instance


def known_run(instance: dg.DagsterInstance, dagster_run_id: UUID) -> dg.DagsterRun:
    """Return a run of Dagster.

    Raises:
        StoreRefused: Dagster has no such run.
    """
    run = instance.get_run_by_id(str(dagster_run_id))
    if run is None:
        raise StoreRefused(
            f"The Dagster of {HOME_VARIABLE}={os.environ.get(HOME_VARIABLE)} has no run"
            f" {dagster_run_id}; it was deleted there, or belongs to another Dagster."
        )
    return run

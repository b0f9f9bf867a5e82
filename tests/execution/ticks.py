"""Ticks of sensors as Dagster's daemon asks for them, and versions that nobody should meet."""

from pathlib import Path

import dagster as dg
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from tests.postgres import Session

LOCATION = "here"


def tick_context(
    instance: dg.DagsterInstance,
    cursor: str | None = None,
    repository: dg.RepositoryDefinition | None = None,
    file: Path | None = None,
) -> dg.SensorEvaluationContext:
    """Returns the context of a tick.

    Args:
        instance: The instance.
        cursor: What the tick before left.
        repository: That of the code location; without one an empty one.
        file: The file of its code.
    """

    @dg.repository(name="pgflow")
    def empty() -> list[dg.JobDefinition]:
        return []

    context = dg.build_sensor_context(
        instance=instance,
        cursor=cursor,
        repository_def=empty if repository is None else repository,
    )
    context._code_location_origin = ManagedGrpcPythonEnvCodeLocationOrigin(
        LoadableTargetOrigin(python_file=str(file or "location.py")), LOCATION
    )
    return context


def publish(sql: Session, slug: str, definition: str) -> None:
    """Adds a version past the functions, which would refuse it."""
    sql(
        "insert into pgflow.flow_versions (flow_slug, version, definition, content_hash)"
        " select %s, max(version) + 1, %s::jsonb, gen_random_uuid()::text"
        " from pgflow.flow_versions where flow_slug = %s",
        slug,
        definition,
        slug,
    )

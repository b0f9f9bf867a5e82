"""Storage for Dagster's own runs and events: dagster-postgres, pooled, its events in batches.

What Dagster keeps in PostgreSQL stays what it is, row by row; only the way there is shorter. It
stands apart from the store of flows: any deployment of Dagster may name it in its `dagster.yaml`,
also one that has no flows. It imports dagster-postgres, which takes a while, so it is loaded when
it is asked for.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster_pgflow.dagster_storage.instances import (
        StorageKind,
        buffered_instance,
        rest,
        storage_kind,
    )
    from dagster_pgflow.dagster_storage.storage import BufferedPostgresStorage

__all__ = ["BufferedPostgresStorage", "StorageKind", "buffered_instance", "rest", "storage_kind"]


def __getattr__(name: str) -> object:
    """Loads what is asked for."""
    match name:
        case "BufferedPostgresStorage":
            from dagster_pgflow.dagster_storage import storage  # noqa: PLC0415  takes a second

            return storage.BufferedPostgresStorage
        case _ if name in __all__:
            from dagster_pgflow.dagster_storage import instances  # noqa: PLC0415  takes a second

            return getattr(instances, name)
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

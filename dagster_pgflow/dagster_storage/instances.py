"""What storage a Dagster instance has, and a faster one for it."""

from typing import Literal

from dagster import DagsterInstance
from dagster_postgres import (
    PostgresEventLogStorage,
    PostgresRunStorage,
    PostgresScheduleStorage,
)

from dagster_pgflow.dagster_storage.buffer import BatchLimits
from dagster_pgflow.dagster_storage.compat import exchange_storages, token_provider_of
from dagster_pgflow.dagster_storage.config import StorageAddress
from dagster_pgflow.dagster_storage.event_log import BufferedEventLogStorage
from dagster_pgflow.dagster_storage.storage import BufferedPostgresStorage

StorageKind = Literal["buffered", "postgres", "other"]
"""`buffered`: ours. `postgres`: dagster-postgres as it comes. `other`: SQLite, MySQL, a class of
somebody's, or parts of different kinds."""


def storage_kind(instance: DagsterInstance) -> StorageKind:
    """Returns what an instance keeps its runs and events in."""
    events, runs, schedules = (
        instance.event_log_storage,
        instance.run_storage,
        instance.schedule_storage,
    )
    if type(events) is BufferedEventLogStorage:
        return "buffered"
    # A subclass is somebody's, and does what we do not know.
    if type(events) is PostgresEventLogStorage and type(runs) is PostgresRunStorage:
        is_one = events.postgres_url == runs.postgres_url and (
            schedules is None
            or (
                type(schedules) is PostgresScheduleStorage
                and schedules.postgres_url == events.postgres_url
            )
        )
        return "postgres" if is_one else "other"
    return "other"


def buffered_instance(
    instance: DagsterInstance, limits: BatchLimits | None = None
) -> DagsterInstance:
    """Lets an instance store events in batches, where it stores them with dagster-postgres.

    Its storages are exchanged, so that all who have the instance store the same way, and events
    keep their order. What others make of its configuration, such as the processes of the steps of a
    run, stores as that configuration says. An instance whose storage is neither stays as it is;
    `storage_kind` says which it is.

    Args:
        instance: The instance of a deployment.
        limits: When events are written.

    Returns:
        The same instance.
    """
    events = instance.event_log_storage
    if storage_kind(instance) == "postgres" and isinstance(events, PostgresEventLogStorage):
        # The storages that are there have made the tables, if they may.
        address = StorageAddress(
            events.postgres_url, makes_tables=False, token_provider=token_provider_of(events)
        )
        exchange_storages(instance, BufferedPostgresStorage(address, limits))
    return instance


def rest(instance: DagsterInstance) -> None:
    """Leaves an instance without a waiting event, an open connection and a thread of its storage.

    It goes on with the next use. A process that wants to fork calls this.
    """
    events = instance.event_log_storage
    if isinstance(events, BufferedEventLogStorage):
        events.rest()

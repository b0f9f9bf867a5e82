"""The class that a `dagster.yaml` names."""

from collections.abc import Mapping
from typing import Any

from dagster_postgres import DagsterPostgresStorage

from dagster_pgflow.dagster_storage.buffer import BatchLimits
from dagster_pgflow.dagster_storage.compat import (
    ConfigurableClassData,
    UserConfigSchema,
)
from dagster_pgflow.dagster_storage.config import (
    StorageAddress,
    address_of,
    buffered_config,
    limits_of,
)
from dagster_pgflow.dagster_storage.connections import connections_to
from dagster_pgflow.dagster_storage.event_log import BufferedEventLogStorage
from dagster_pgflow.dagster_storage.pooled import PooledRunStorage, PooledScheduleStorage


class BufferedPostgresStorage(DagsterPostgresStorage):
    """Dagster's storage in PostgreSQL with fewer connections and fewer transactions.

    It stores what `dagster_postgres.DagsterPostgresStorage` stores, in the same tables, so a
    deployment may change from one to the other at any time, and some of its processes may use
    either. `dagster.yaml` names it under `storage: custom`.

    Args:
        address: Where the database is.
        limits: When events are written.
        inst_data: What Dagster read in `dagster.yaml`.
    """

    def __init__(
        self,
        address: StorageAddress,
        limits: BatchLimits | None = None,
        inst_data: ConfigurableClassData | None = None,
    ) -> None:
        self.postgres_url = address.url
        self.should_autocreate_tables = address.makes_tables
        self._inst_data = inst_data
        shared = connections_to(address, limits or BatchLimits())
        self._run_storage = PooledRunStorage(address, shared)
        self._event_log_storage = BufferedEventLogStorage(address, shared)
        self._schedule_storage = PooledScheduleStorage(address, shared)
        # The next constructor would make the three parts again, its own way.
        super(DagsterPostgresStorage, self).__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """Returns the fields that `dagster.yaml` may have."""
        return buffered_config()

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "BufferedPostgresStorage":
        """Returns the storage that `dagster.yaml` asks for."""
        return cls(address_of(config_value), limits_of(config_value), inst_data)

"""The private parts of Dagster and dagster-postgres that the storage needs, each with the reason.

A storage is an extension point of Dagster: `dagster.yaml` names a class. Yet nothing that such a
class is made of is exported. Tried with Dagster 1.13 and dagster-postgres 0.29.
"""

from typing import TYPE_CHECKING

from dagster import DagsterInstance

# What the configuration of a storage says of its fields, so that each may name an environment
# variable.
from dagster._config import Field, IntSource
from dagster._config.config_schema import UserConfigSchema

# The table of events, as Dagster's migrations make it.
from dagster._core.storage.event_log import SqlEventLogStorageTable

# The configuration that Dagster hands to a class that a file names.
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage

# dagster-postgres: where its events are announced, how it connects (tries again for a while, with
# tokens where a cloud wants them), and what its configuration says.
from dagster_postgres.event_log.event_log import CHANNEL_NAME
from dagster_postgres.utils import (
    DagsterPostgresException,
    create_pg_connection,
    create_pg_engine,
    get_token_provider_from_config,
    pg_config,
    pg_url_from_config,
)

if TYPE_CHECKING:
    from dagster_postgres.auth import PgTokenProvider


# Public code gives an instance a storage through a file only, not one that is there already.
def exchange_storages(instance: DagsterInstance, storage: DagsterPostgresStorage) -> None:
    """Lets an instance use the parts of another storage from now on."""
    instance._event_storage = storage.event_log_storage  # noqa: SLF001
    instance._run_storage = storage.run_storage  # noqa: SLF001
    instance._schedule_storage = storage.schedule_storage  # noqa: SLF001
    storage.event_log_storage.register_instance(instance)
    storage.run_storage.register_instance(instance)
    storage.schedule_storage.register_instance(instance)


def token_provider_of(storage: PostgresEventLogStorage) -> "PgTokenProvider | None":
    """Returns what a storage connects with in place of a password."""
    return storage._token_provider  # noqa: SLF001


__all__ = [
    "CHANNEL_NAME",
    "ConfigurableClassData",
    "DagsterPostgresException",
    "Field",
    "IntSource",
    "SqlEventLogStorageTable",
    "UserConfigSchema",
    "create_pg_connection",
    "create_pg_engine",
    "exchange_storages",
    "get_token_provider_from_config",
    "pg_config",
    "pg_url_from_config",
    "token_provider_of",
]

"""What `dagster.yaml` says of the storage."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from dagster_pgflow.dagster_storage.buffer import (
    DEFAULT_BYTES,
    DEFAULT_EVENTS,
    DEFAULT_INTERVAL_MS,
    BatchLimits,
)
from dagster_pgflow.dagster_storage.compat import (
    Field,
    IntSource,
    get_token_provider_from_config,
    pg_config,
    pg_url_from_config,
)

if TYPE_CHECKING:
    from dagster_postgres.auth import PgTokenProvider


@dataclass(frozen=True)
class StorageAddress:
    """Where Dagster's tables are.

    Attributes:
        url: The database, as SQLAlchemy writes it.
        makes_tables: Whether tables that are missing are made.
        token_provider: What takes the place of a password.
    """

    url: str
    makes_tables: bool = True
    token_provider: "PgTokenProvider | None" = None


def buffered_config() -> Mapping[str, Any]:
    """Returns the fields of dagster-postgres, and those that say when events are written."""
    fields: Mapping[str, Any] = cast("Mapping[str, Any]", pg_config())
    return {
        **fields,
        "flush_interval_ms": _whole_number(DEFAULT_INTERVAL_MS),
        "batch_events": _whole_number(DEFAULT_EVENTS),
        "batch_bytes": _whole_number(DEFAULT_BYTES),
    }


def address_of(config: Mapping[str, Any]) -> StorageAddress:
    """Returns where the database is."""
    return StorageAddress(
        pg_url_from_config(config),
        config.get("should_autocreate_tables", True),
        get_token_provider_from_config(config),
    )


def limits_of(config: Mapping[str, Any]) -> BatchLimits:
    """Returns when events are written.

    Raises:
        ValueError: A number makes no sense.
    """
    limits = BatchLimits(
        config.get("flush_interval_ms", DEFAULT_INTERVAL_MS),
        config.get("batch_events", DEFAULT_EVENTS),
        config.get("batch_bytes", DEFAULT_BYTES),
    )
    if limits.interval_ms < 0 or limits.events < 1 or limits.bytes < 1:
        raise ValueError(
            "In dagster.yaml, flush_interval_ms of the storage must be 0 or more, and batch_events "
            f"and batch_bytes 1 or more; they are {limits.interval_ms}, {limits.events} and "
            f"{limits.bytes}."
        )
    return limits


def _whole_number(default: int) -> Field:
    return Field(IntSource, is_required=False, default_value=default)

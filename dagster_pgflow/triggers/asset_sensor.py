"""The sensor that tells triggers which of Dagster's assets were materialized.

It reads Dagster's event log of those assets alone that triggers name, in passes from what is
settled to the end. A pass that is longer than a tick goes on in the next one, and skips nothing.
Whoever reads an entry again, in another pass or from another code location, notes it no more.
"""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import dagster as dg

from dagster_pgflow.errors import StoreError
from dagster_pgflow.json_values.storable import storable
from dagster_pgflow.store.asset_events import AssetEvents, Materialization, WantedAsset

INTERVAL_S = 5
ENTRIES_PER_TICK: Final = 5000
ENTRIES_AT_A_TIME: Final = 250
_JSON: Final = (str, int, float, bool, list, tuple, dict, type(None))
MOST_S = 20.0
"""How long a tick goes on; what is left comes with the next one."""


def build_asset_sensor(name: str, events: AssetEvents) -> dg.SensorDefinition:
    """Return the sensor.

    Args:
        name: Its name.
        events: Where it notes what it finds.
    """

    def evaluate(context: dg.SensorEvaluationContext) -> Iterator[dg.SkipReason]:
        # Kept by Dagster beside its log: where that is another one, so is this.
        log = context.cursor or uuid4().hex
        context.update_cursor(log)
        wanted = events.wanted(log)
        if not wanted:
            yield dg.SkipReason("No trigger in pgflow.triggers looks at an asset.")
            return
        tick = _AssetTick(context, events, log)
        for asset in wanted:
            if tick.is_over():
                break
            tick.read(asset)
        yield dg.SkipReason(
            f"{tick.queued} events wait for triggers to look at them."
            if tick.queued
            else "No asset that a trigger looks at was materialized."
        )

    return dg.SensorDefinition(
        name=name,
        evaluation_fn=evaluate,
        minimum_interval_seconds=INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells triggers which assets were materialized.",
    )


class _AssetTick:
    """One tick: reads on in the log of one asset after the other.

    Attributes:
        queued: How many events triggers have to look at by it.
    """

    def __init__(self, context: dg.SensorEvaluationContext, events: AssetEvents, log: str) -> None:
        self._context = context
        self._events = events
        self._log = log
        self._left = ENTRIES_PER_TICK
        self._ends_at = time.monotonic() + MOST_S
        self.queued = 0

    def is_over(self) -> bool:
        """Return whether it has read or taken as much as it may."""
        return self._left <= 0 or time.monotonic() > self._ends_at

    def read(self, asset: WantedAsset) -> None:
        """Read on in the log of an asset; one that cannot be read keeps no other waiting."""
        try:
            self._read(asset)
        except StoreError:
            raise
        except Exception:
            self._context.log.exception(
                "The materializations of %s could not be read; that is tried again.",
                asset.asset_key,
            )
            self._events.advance(self._log, asset.asset_key, asset.cursor)

    def _read(self, asset: WantedAsset) -> None:
        cursor = asset.cursor.begun(datetime.now(UTC))
        since = dg.AssetRecordsFilter(
            asset_key=dg.AssetKey.from_user_string(asset.asset_key),
            after_timestamp=asset.active_since.timestamp(),
            after_storage_id=cursor.read_to,
        )
        page: dg.EventRecordsResult | None = None
        while not self.is_over():
            page = self._context.instance.fetch_materializations(
                since,
                limit=min(ENTRIES_AT_A_TIME, self._left),
                cursor=None if page is None else page.cursor,
                ascending=True,
            )
            found = [_materialization(asset.asset_key, record) for record in page.records]
            self.queued += self._events.note(found)
            self._left -= len(found)
            if found:
                cursor = cursor.came_to(found[-1].storage_id)
            if not page.has_more:
                cursor = cursor.ended(datetime.now(UTC))
                break
        self._events.advance(self._log, asset.asset_key, cursor)


def _materialization(asset_key: str, record: dg.EventLogRecord) -> Materialization:
    said = record.asset_materialization
    metadata: Mapping[str, Any] = {} if said is None else said.metadata
    return Materialization(
        asset_key=asset_key,
        storage_id=record.storage_id,
        timestamp=record.timestamp,
        run_id=record.run_id,
        partition=record.partition_key,
        metadata={name: _json_of(value) for name, value in metadata.items()},
    )


def _json_of(value: dg.MetadataValue[Any]) -> Any:
    """Return metadata as conditions see it; of what is no JSON, that it is left out."""
    match value:
        case dg.DagsterAssetMetadataValue():
            return value.asset_key.to_user_string()
        case dg.TableMetadataValue():
            return [storable(dict(row.data)) for row in value.records]
        case _:
            found = value.value
    # Not those below them: Dagster's own records are tuples that refuse to be read as such.
    if type(found) in _JSON:
        return storable(found)
    return f"(left out: a {type(value).__name__} is no JSON)"

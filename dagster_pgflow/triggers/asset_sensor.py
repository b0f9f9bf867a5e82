"""The sensor that tells triggers which of Dagster's assets were materialized.

It reads Dagster's event log of those assets alone that triggers name, from where it last was: that
is a row for each asset, so whichever code location looks, each entry is noted once.
"""

import time
from collections.abc import Iterator
from typing import Any, Final

import dagster as dg

from dagster_pgflow.json_values.storable import storable
from dagster_pgflow.store.asset_events import AssetEvents, Materialization, WantedAsset

INTERVAL_S = 5
ENTRIES_PER_TICK: Final = 500
ENTRIES_AT_A_TIME: Final = 100
MOST_S = 20.0
"""How long a tick goes on; what is left comes with the next one."""

SETTLED_S: Final = 60.0
"""Dagster numbers entries before they can be seen, so one of a lower number may come late. What is
younger than this is read again; what was noted once is noted no more."""


def build_asset_sensor(name: str, events: AssetEvents) -> dg.SensorDefinition:
    """Return the sensor.

    Args:
        name: Its name.
        events: Where it notes what it finds.
    """

    def evaluate(context: dg.SensorEvaluationContext) -> Iterator[dg.SkipReason]:
        wanted = events.wanted()
        if not wanted:
            yield dg.SkipReason("No trigger in pgflow.triggers looks at an asset.")
            return
        ends_at = time.monotonic() + MOST_S
        left, queued = ENTRIES_PER_TICK, 0
        for asset in wanted:
            if left <= 0 or time.monotonic() > ends_at:
                break
            found = _AssetLog(context.instance, events, asset)
            queued += found.read(left)
            left -= found.entries
        yield dg.SkipReason(
            f"{queued} events wait for triggers to look at them."
            if queued
            else "No asset that a trigger looks at was materialized."
        )

    return dg.SensorDefinition(
        name=name,
        evaluation_fn=evaluate,
        minimum_interval_seconds=INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells triggers which assets were materialized.",
    )


class _AssetLog:
    """Reads on in the log of one asset.

    Attributes:
        entries: How many entries it has read.
    """

    def __init__(
        self, instance: dg.DagsterInstance, events: AssetEvents, asset: WantedAsset
    ) -> None:
        self._instance = instance
        self._events = events
        self._asset = asset
        self.entries = 0

    def read(self, most: int) -> int:
        """Note what is new, and return how many triggers have something to look at."""
        asset, queued = self._asset, 0
        since = dg.AssetRecordsFilter(
            asset_key=dg.AssetKey.from_user_string(asset.asset_key),
            after_timestamp=asset.active_since.timestamp(),
            after_storage_id=asset.storage_id,
        )
        settled, page = asset.storage_id, None
        settled_before = time.time() - SETTLED_S
        while self.entries < most:
            page = self._instance.fetch_materializations(
                since,
                limit=min(ENTRIES_AT_A_TIME, most - self.entries),
                cursor=None if page is None else page.cursor,
                ascending=True,
            )
            found = [_materialization(asset.asset_key, record) for record in page.records]
            queued += self._events.note(found)
            self.entries += len(found)
            for one in found:
                # So many that they do not fit into a tick are not read again.
                if one.timestamp < settled_before or self.entries >= most:
                    settled = one.storage_id
            if not page.has_more:
                break
        self._events.advance(asset.asset_key, settled)
        return queued


def _materialization(asset_key: str, record: dg.EventLogRecord) -> Materialization:
    said = record.asset_materialization
    metadata: dict[str, Any] = {} if said is None else dict(said.metadata)
    return Materialization(
        asset_key=asset_key,
        storage_id=record.storage_id,
        timestamp=record.timestamp,
        run_id=record.run_id,
        partition=record.partition_key,
        metadata={name: storable(value.value) for name, value in metadata.items()},
    )

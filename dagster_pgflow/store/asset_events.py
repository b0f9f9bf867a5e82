"""Materializations of Dagster's assets: which ones triggers look at, and how far they are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dagster_pgflow.json_values.limits import problem_of
from dagster_pgflow.json_values.storable import storable
from dagster_pgflow.json_values.text import write_own_json
from dagster_pgflow.store.database import Database


@dataclass(frozen=True)
class WantedAsset:
    """An asset that triggers look at.

    Attributes:
        asset_key: Its key, as Dagster shows it.
        active_since: Since when the first of them does.
        storage_id: The entry of Dagster's log up to which all is noted; `None` at the beginning.
    """

    asset_key: str
    active_since: datetime
    storage_id: int | None


@dataclass(frozen=True)
class Materialization:
    """That an asset was materialized.

    Attributes:
        asset_key: The asset, as Dagster shows its key.
        storage_id: The entry of Dagster's log.
        timestamp: When, in seconds since 1970.
        run_id: The run of Dagster.
        partition: The partition, if it has any.
        metadata: What was said of it, as JSON.
    """

    asset_key: str
    storage_id: int
    timestamp: float
    run_id: str
    partition: str | None
    metadata: dict[str, Any]

    def noted(self) -> dict[str, Any]:
        """Return it as `pgflow.note_asset_events` takes it."""
        # Entries of two instances that share a store may have one number.
        return {
            "source": f"{self.run_id} {self.storage_id}",
            "timestamp": self.timestamp,
            "event": {
                "type": "asset.materialized",
                "asset_key": self.asset_key,
                "partition": self.partition,
                "metadata": {name: _readable(value) for name, value in self.metadata.items()},
                "run_id": self.run_id,
                "timestamp": self.timestamp,
            },
        }


class AssetEvents:
    """What the sensor of assets reads and writes.

    Args:
        database: The store.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def wanted(self) -> tuple[WantedAsset, ...]:
        """Return the assets that triggers look at, those looked at longest ago first."""
        rows = self._database.fetch_all("fetch_wanted_assets")
        return tuple(WantedAsset(**row) for row in rows)

    def note(self, found: Sequence[Materialization]) -> int:
        """Queue materializations, each once, and return how many triggers have one to look at."""
        if not found:
            return 0
        events = [storable(one.noted()) for one in found]
        text = write_own_json(events, "The materializations")
        queued: int = self._database.fetch_value("note_asset_events", events=text)
        return queued

    def advance(self, asset_key: str, storage_id: int | None) -> None:
        """Note how far Dagster's log is read of an asset; never back."""
        self._database.execute("advance_asset_cursor", asset_key=asset_key, storage_id=storage_id)


def _readable(value: Any) -> Any:
    """Return metadata of a materialization; of what nobody could read, the reason."""
    problem = problem_of(value)
    return value if problem is None else f"(left out: {problem})"

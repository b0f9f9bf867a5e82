"""Materializations of Dagster's assets: which ones triggers look at, and how far they are read."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from dagster_pgflow.json_values.limits import problem_of
from dagster_pgflow.json_values.storable import storable
from dagster_pgflow.json_values.text import write_own_json
from dagster_pgflow.store.database import Database

SETTLED: Final = timedelta(minutes=1)
"""How long after its number is given to an entry of Dagster's log the entry can be seen at last."""


@dataclass(frozen=True)
class AssetCursor:
    """How far the log of an asset is read: again and again from what is settled to the end.

    Dagster numbers entries before they can be seen, so one may show behind others that were read.
    Whatever has a lower number than an entry that was seen shows within `SETTLED`. So an entry is
    settled when a pass has read up to it that began so long after another one had seen it.

    Attributes:
        storage_id: The entry up to which all is noted for good; `None` at the beginning.
        begun_at: When the pass under way began; `None` where there is none.
        read_to: The entry that it has come to, if any.
        mark: The entry that an earlier pass ended with; `None` where nothing is unsettled.
        marked_at: When that was.
    """

    storage_id: int | None = None
    begun_at: datetime | None = None
    read_to: int | None = None
    mark: int | None = None
    marked_at: datetime | None = None

    def begun(self, now: datetime) -> "AssetCursor":
        """Return it with a pass under way: the one that there is, or a new one."""
        if self.begun_at is not None:
            return self
        return replace(self, begun_at=now, read_to=self.storage_id)

    def came_to(self, storage_id: int) -> "AssetCursor":
        """Return it after its pass has read an entry."""
        return replace(self, read_to=storage_id)

    def ended(self, now: datetime) -> "AssetCursor":
        """Return it after its pass has read all that there is."""
        settled, mark, marked_at = self.storage_id, self.mark, self.marked_at
        if marked_at and self.begun_at and self.begun_at - marked_at >= SETTLED:
            settled, mark = mark, None
        if mark is None and self.read_to != settled:
            mark, marked_at = self.read_to, now
        return AssetCursor(settled, mark=mark, marked_at=None if mark is None else marked_at)


@dataclass(frozen=True)
class WantedAsset:
    """An asset that triggers look at.

    Attributes:
        asset_key: Its key, as Dagster shows it.
        active_since: Since when the first of them does.
        cursor: How far Dagster's log is read.
    """

    asset_key: str
    active_since: datetime
    cursor: AssetCursor


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

    def wanted(self, log: str) -> tuple[WantedAsset, ...]:
        """Return the assets that triggers look at, those looked at longest ago first.

        Args:
            log: Which log of Dagster is read.
        """
        rows = self._database.fetch_all("fetch_wanted_assets", log=log)
        return tuple(_wanted(**row) for row in rows)

    def note(self, found: Sequence[Materialization]) -> int:
        """Queue materializations, each once, and return how many triggers have one to look at."""
        if not found:
            return 0
        events = [storable(one.noted()) for one in found]
        text = write_own_json(events, "The materializations")
        queued: int = self._database.fetch_value("note_asset_events", events=text)
        return queued

    def advance(self, log: str, asset_key: str, cursor: AssetCursor) -> None:
        """Note how far a log of Dagster is read of an asset; what is settled stays so."""
        self._database.execute(
            "advance_asset_cursor", log=log, asset_key=asset_key, **asdict(cursor)
        )


def _wanted(asset_key: str, active_since: datetime, **cursor: Any) -> WantedAsset:
    return WantedAsset(asset_key, active_since, AssetCursor(**cursor))


def _readable(value: Any) -> Any:
    """Return metadata of a materialization; of what nobody could read, the reason."""
    problem = problem_of(value)
    return value if problem is None else f"(left out: {problem})"

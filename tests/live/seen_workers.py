"""Live workers that only say that they are there."""

from uuid import UUID, uuid4

from dagster_pgflow.store.database import Database
from dagster_pgflow.store.live_runs import LiveRuns, LiveWorker
from dagster_pgflow.version import __version__


def enter(database: Database, code_location: str, concurrency: int = 2) -> UUID:
    """Says that a live worker is there, without one."""
    worker_id = uuid4()
    worker = LiveWorker(worker_id, code_location, "somewhere", 1, concurrency, __version__)
    LiveRuns(database).enter(worker)
    return worker_id

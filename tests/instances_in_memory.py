"""Has Dagster's own instances in memory copy their tables, as those of runs in process do."""

from dagster._core.storage import event_log, runs

from dagster_pgflow.in_process.instances import EventsInMemory, RunsInMemory


def copy_tables() -> None:
    """Has this process copy the tables of each `DagsterInstance.ephemeral()`."""
    vars(runs)["InMemoryRunStorage"] = _runs
    vars(event_log)["InMemoryEventLogStorage"] = _events


def _runs(preload: None) -> RunsInMemory:
    assert preload is None
    return RunsInMemory()


def _events(preload: None) -> EventsInMemory:
    assert preload is None
    return EventsInMemory()

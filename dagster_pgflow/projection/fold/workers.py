"""From the event log to the processes that worked for one run; pure.

A task says which process did it when it is over. Of one under way Dagster only has the number of
the process: it is that of a process which was heard of before, or else runs where all others do.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from dagster_pgflow.model.execution import WorkerRow
from dagster_pgflow.model.run_state import LogEvent

_NAMES_WORKER: Final = frozenset({"task.started", "task.retrying", "task.completed", "task.failed"})
_ENDS: Final = _NAMES_WORKER - {"task.started"} | {"task.cancelled"}


@dataclass
class _Seen:
    first: datetime
    last: datetime
    load: int = 0


def workers_of(events: Sequence[LogEvent]) -> Iterator[WorkerRow]:
    """Yield the processes that worked for a run, in the order in which they were heard of.

    Args:
        events: All its events, in order.
    """
    processes = _Processes(events)
    seen: dict[str, _Seen] = {}
    under_way: dict[tuple[str | None, int], str | None] = {}
    for event in events:
        if event.event_type not in _NAMES_WORKER | _ENDS:
            continue
        task = (event.correlation_id, event.event_data["task_index"])
        worker = processes.of(event)
        under_way.pop(task, None)
        if event.event_type == "task.started":
            under_way[task] = worker
        if worker is not None:
            known = seen.setdefault(worker, _Seen(event.timestamp, event.timestamp))
            known.last = max(known.last, event.timestamp)
    for worker in under_way.values():
        if worker is not None:
            seen[worker].load += 1
    for worker, known in seen.items():
        host, pid = _parts(worker)
        yield WorkerRow(
            worker_id=worker,
            host=host,
            pid=pid,
            first_seen=known.first,
            last_heartbeat=known.last,
            load=known.load,
        )


class _Processes:
    def __init__(self, events: Sequence[LogEvent]) -> None:
        self._by_pid: dict[int | None, set[str]] = defaultdict(set)
        self._hosts: set[str] = set()
        for event in events:
            worker = _reported(event)
            if worker is not None:
                host, pid = _parts(worker)
                self._by_pid[pid].add(worker)
                self._hosts.add(host)

    def of(self, event: LogEvent) -> str | None:
        """Return the process that an event about a task is from, if that is known."""
        if event.event_type != "task.started":
            return _reported(event)
        pid = event.event_data.get("pid")
        known = self._by_pid.get(pid, set()) if pid is not None else set()
        if len(known) == 1:
            return next(iter(known))
        if pid is None or known or len(self._hosts) != 1:
            return None
        return f"{next(iter(self._hosts))}:{pid}"


def _reported(event: LogEvent) -> str | None:
    """Return the process that says of itself that it did a task, in this run."""
    data = event.event_data
    if event.event_type not in _NAMES_WORKER or data.get("reused"):
        return None
    worker: str | None = data.get("worker")
    return worker


def _parts(worker: str) -> tuple[str, int | None]:
    host, _, pid = worker.rpartition(":")
    return (host, int(pid)) if pid.isdecimal() else (worker, None)

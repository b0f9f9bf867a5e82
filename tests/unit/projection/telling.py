"""Runs told by hand: flows, and what Dagster would see of them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.run_state import AttemptRow, LogEvent, RunState
from dagster_pgflow.projection.announcements import layout_seen
from dagster_pgflow.projection.events import narrate
from dagster_pgflow.projection.fold import fold
from dagster_pgflow.projection.layout import Layout
from dagster_pgflow.projection.sightings import RunFacts, Sighting, SightingKind

RUN_ID = UUID("11111111-1111-1111-1111-111111111111")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WORKER = "host:1"


@dataclass(frozen=True)
class Version:
    """A flow at its first version."""

    flow: Flow
    version: int = 1
    version_id: int = 1


@dataclass(frozen=True)
class Story:
    """A run of the first of some flows.

    Attributes:
        flows: The flow and those that it contains.
        input: The flow input.
        sightings: What Dagster saw so far, one second apart.
    """

    flows: Sequence[Flow]
    input: Any = None
    sightings: tuple[Sighting, ...] = ()
    outputs: dict[str, Any] = field(default_factory=dict)

    def then(self, kind: SightingKind, step_key: str = "", **more: Any) -> "Story":
        """Returns the story with one more sighting."""
        number = len(self.sightings) + 1
        at = NOON + timedelta(seconds=number)
        added = Sighting(number, at, kind, step_key, **more)
        return replace(self, sightings=(*self.sightings, added))

    def does(self, step_key: str, output: Any = None, **more: Any) -> "Story":
        """Returns the story with a single step that runs and completes."""
        told = completed(output, [task()], **more)
        return self.then("started", step_key).then("succeeded", step_key, outcome=told)

    def fails(self, step_key: str, *reports: dict[str, Any], **more: Any) -> "Story":
        """Returns the story with a step that starts, and reports that it is tried again."""
        told = retrying(*reports, **more)
        return self.then("started", step_key).waits(step_key, told)

    def waits(self, step_key: str, outcome: dict[str, Any]) -> "Story":
        """Returns the story with a report that another execution of the step follows."""
        return self.then("reported", step_key, outcome=outcome).then("retrying", step_key)

    @property
    def layout(self) -> Layout:
        """Where everything stands."""
        slug = self.flows[0].slug
        return layout_seen(slug, self.tree, self.sightings)

    @property
    def tree(self) -> dict[str, Version]:
        """The flows by slug."""
        return {flow.slug: Version(flow) for flow in self.flows}

    def events(self) -> list[LogEvent]:
        """Returns the event log."""
        facts = RunFacts(
            run_id=RUN_ID,
            dagster_run_id=RUN_ID,
            flow_slug=self.flows[0].slug,
            watermark=1,
            input=self.input,
            created_at=NOON,
        )
        return narrate(facts, self.tree, self.layout, self.sightings)

    def state(self) -> RunState:
        """Returns the rows."""
        return fold(self.layout, self.events(), self.outputs)

    def told(self) -> list[LogEvent]:
        """Returns the event log without what follows from it for tokens and nodes."""
        return [event for event in self.events() if not is_consequence(event.event_type)]

    def types(self) -> list[str]:
        """Returns what happened, with where."""
        return [shown(event) for event in self.told()]


def is_consequence(event_type: str) -> bool:
    """Says whether such events only follow from others."""
    return event_type.startswith(("token.", "node."))


def shown(event: LogEvent) -> str:
    """Returns an event as text, such as `task.started price[2]`."""
    index = event.event_data.get("task_index")
    place = event.correlation_id or ""
    return f"{event.event_type} {place}{'' if index is None else f'[{index}]'}".strip()


def task(
    index: int = 0, status: str = "completed", attempts: int = 1, **more: Any
) -> dict[str, Any]:
    """Returns a task's report."""
    times = {"started_at": NOON.timestamp(), "completed_at": NOON.timestamp() + 1}
    return {"index": index, "status": status, "attempts": attempts, **times, **more}


def completed(output: Any, tasks: Iterable[dict[str, Any]] = (), **more: Any) -> dict[str, Any]:
    """Returns the outcome of a Dagster step that completed."""
    return {
        "status": "completed",
        "output": output,
        "worker": WORKER,
        "tasks": list(tasks),
        **more,
    }


def retrying(*tasks: dict[str, Any], delay: float = 10.0) -> dict[str, Any]:
    """Returns the outcome of a Dagster step that is tried again."""
    return {
        "status": "retrying",
        "attempt": max((told["attempts"] for told in tasks), default=0) + 1,
        "delay_seconds": delay,
        "worker": WORKER,
        "tasks": list(tasks),
    }


def delayed(delay: float = 60.0) -> dict[str, Any]:
    """Returns the outcome of a Dagster step that came too early."""
    return {"status": "delayed", "delay_seconds": delay, "worker": WORKER, "tasks": []}


def skipped(reason: str, origin: str, tasks: Iterable[dict[str, Any]] = ()) -> dict[str, Any]:
    """Returns the outcome of a Dagster step that skipped."""
    return {
        "status": "skipped",
        "skip_reason": reason,
        "skipped_step": origin,
        "worker": WORKER,
        "tasks": list(tasks),
    }


def batch(start: int, *values: Any) -> dict[str, Any]:
    """Returns the outcome of a batch of a map step."""
    tasks = [task(index) for index in range(start, start + len(values))]
    return completed({"dagster-pgflow/batch": {"start": start, "values": list(values)}}, tasks)


LAST_ATTEMPT: dict[str, set[str | None]] = {
    "queued": {None, "failed"},
    "started": {"started"},
    "completed": {None, "completed"},
    "failed": {None, "failed"},
    "cancelled": {None, "cancelled", "failed"},
}
"""How the last attempt of a task may stand, by the status of the task; `None`: there is none.

A task that was taken over has none, nor has one that waits or that failed before its first.
"""


def assert_attempts_add_up(state: RunState) -> None:
    """Checks that attempts agree with the tasks that they are of."""
    attempts: dict[tuple[str, int], list[AttemptRow]] = defaultdict(list)
    for row in state.attempts:
        attempts[row.step_path, row.task_index].append(row)
        assert (row.status == "started") == (row.completed_at is None)
        assert (row.completed_at is None) == (row.duration_ms is None)
        assert row.duration_ms is None or row.duration_ms >= 0
        assert row.status == "failed" or row.error is None
    for task in state.tasks:
        rows = attempts.pop((task.step_path, task.task_index), [])
        assert task.attempts_count == len(rows)
        assert [row.attempt for row in rows] == sorted({row.attempt for row in rows})
        assert all(row.status != "started" for row in rows[:-1])
        assert (rows[-1].status if rows else None) in LAST_ATTEMPT[task.status]
    assert attempts == {}

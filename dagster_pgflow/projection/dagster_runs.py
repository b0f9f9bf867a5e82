"""Reads runs from a Dagster instance, with public calls only."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from uuid import UUID

import dagster as dg

from dagster_pgflow.names import TAG_TOP_RUN, child_run_path
from dagster_pgflow.projection.child_runs import as_part, children_told, interleaved
from dagster_pgflow.projection.sightings import (
    EVENT_TYPES,
    RunFacts,
    Sighting,
    facts_of,
    reused_sightings,
    sightings_of,
)

EVENTS_PER_PAGE: Final = 5000
RECORDS_PER_PAGE: Final = 1000

_UNFINISHED: Final = tuple(
    status
    for status in dg.DagsterRunStatus
    if status not in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE)
    and status is not dg.DagsterRunStatus.CANCELED
)


@dataclass(frozen=True)
class OutputsOf:
    """A run whose outputs are used.

    Attributes:
        run_id: Its id in Dagster.
        child_run: The path of the scope that it is, where it is a run inside another one.
    """

    run_id: UUID
    child_run: str | None = None


@dataclass(frozen=True)
class RunAsSeen:
    """All that Dagster knows of a run that matters to us.

    Attributes:
        facts: What is known about it beforehand.
        sightings: What happened, what it took over from the runs before it first.
        position: Where in Dagster's event logs the reading ended.
        outputs_of: The Dagster runs whose outputs it uses: itself, those inside it, and those it
            re-executes.
        lacks_runs: Whether a run inside it, or one that it goes on with, is not there any more.
    """

    facts: RunFacts
    sightings: Sequence[Sighting]
    position: str
    outputs_of: Sequence[OutputsOf]
    lacks_runs: bool = False


@dataclass(frozen=True)
class _Whole:
    """A run and those inside it.

    Attributes:
        sightings: What Dagster saw of them.
        outputs_of: Those inside it.
        positions: Where the reading ended of those inside it that are not over.
        lacks_runs: Whether one that belongs to it is not there any more.
    """

    sightings: Sequence[Sighting]
    outputs_of: list[OutputsOf] = field(default_factory=list)
    positions: dict[str, str] = field(default_factory=dict)
    lacks_runs: bool = False


class DagsterRuns:
    """The runs of an instance.

    Args:
        instance: The Dagster instance.
    """

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._job_tags = lru_cache(maxsize=100)(
            lambda snapshot_id: instance.get_job_snapshot(snapshot_id).tags
        )

    def records(self, dagster_run_ids: Sequence[UUID]) -> Mapping[UUID, dg.RunRecord]:
        """Return those of the runs that exist, by id."""
        if not dagster_run_ids:
            return {}
        found: dict[UUID, dg.RunRecord] = {}
        for start in range(0, len(dagster_run_ids), RECORDS_PER_PAGE):
            listed = [str(run_id) for run_id in dagster_run_ids[start : start + RECORDS_PER_PAGE]]
            records = self._instance.get_run_records(dg.RunsFilter(run_ids=listed))
            found |= {UUID(record.dagster_run.run_id): record for record in records}
        return found

    def has_news(self, dagster_run_id: UUID, position: str) -> bool:
        """Say whether anything has happened in a run, or in those inside it, since a reading."""
        positions = _positions(str(dagster_run_id), position)
        return any(self._has_news(run_id, since) for run_id, since in positions.items())

    def _has_news(self, run_id: str, position: str) -> bool:
        page = self._instance.get_records_for_run(
            run_id, position, of_type=set(EVENT_TYPES), limit=1
        )
        return bool(page.records)

    def end_children(self, record: dg.RunRecord) -> bool:
        """End the runs inside a run that is over; say whether there were any.

        They end with it by themselves, unless the process was killed that they shared.
        """
        run_id = record.dagster_run.run_id
        inside = dg.RunsFilter(tags={TAG_TOP_RUN: run_id}, statuses=list(_UNFINISHED))
        left = [
            run
            for run in self._instance.get_runs(inside)
            if child_run_path(run.run_id, run.tags) is not None
        ]
        for run in left:
            sentence = f"Run {run_id} is over, which this one was a part of."
            self._instance.report_run_canceled(run, sentence)
        return bool(left)

    def read(self, record: dg.RunRecord, when_long: Callable[[], None]) -> RunAsSeen:
        """Read a run, all of it.

        A part would not do: ids of events are given out before they commit, so one that was
        not there at the last reading may lie before those that were.

        Args:
            record: The run.
            when_long: Is called when one page does not hold its events.

        Raises:
            UnreadableRun: A tag of ours is missing or makes no sense.
        """
        run_id = record.dagster_run.run_id
        events, position = self._events(run_id, when_long)
        own = sightings_of(record, events)
        whole = self._whole(own)
        before = self._taken_over(record, own)
        if whole.positions:
            position = json.dumps({"run": position, "inside": whole.positions})
        return RunAsSeen(
            facts_of(record, events, self._pinned_tags(record.dagster_run)),
            [*before.sightings, *whole.sightings],
            position,
            [OutputsOf(UUID(run_id)), *whole.outputs_of, *before.outputs_of],
            whole.lacks_runs or before.lacks_runs,
        )

    def _whole(self, own: Sequence[Sighting]) -> _Whole:
        """Return what Dagster saw of a run and of those inside it, to any depth.

        Args:
            own: What it saw of the run.
        """
        told = children_told(own)
        if not told:
            return _Whole(own)
        records = self.records([child.run_id for child in told.values()])
        inside: dict[int, Sequence[Sighting]] = {}
        outputs_of: list[OutputsOf] = []
        positions: dict[str, str] = {}
        lacks_runs = len(records) < len({child.run_id for child in told.values()})
        for place, child in told.items():
            record = records.get(child.run_id)
            if record is None:
                continue
            events, position = self._events(str(child.run_id))
            whole = self._whole(sightings_of(record, events))
            part = as_part(child, whole.sightings)
            if child.is_reused:
                part = reused_sightings(part, frozenset())
            inside[place] = part
            lacks_runs = lacks_runs or whole.lacks_runs
            outputs_of += [OutputsOf(child.run_id, child.path), *whole.outputs_of]
            if record.dagster_run.status in _UNFINISHED:
                positions |= {str(child.run_id): position, **whole.positions}
        return _Whole(interleaved(own, told, inside), outputs_of, positions, lacks_runs)

    def _pinned_tags(self, run: dg.DagsterRun) -> Mapping[str, str]:
        """Return the tags of the job that the run executes.

        Those of the run itself may be older: a re-execution has the tags of the run that it
        repeats, and so has a run that somebody launches from the page of another one.
        """
        if run.job_snapshot_id is None:
            return run.tags
        return self._job_tags(run.job_snapshot_id)

    def _events(
        self, run_id: str, when_long: Callable[[], None] = lambda: None
    ) -> tuple[list[dg.EventLogRecord], str]:
        events: list[dg.EventLogRecord] = []
        position: str | None = None
        while True:
            page = self._instance.get_records_for_run(
                run_id, position, of_type=set(EVENT_TYPES), limit=EVENTS_PER_PAGE
            )
            events += page.records
            position = page.cursor
            if not page.has_more:
                return _in_order(events), position
            if len(events) == EVENTS_PER_PAGE:
                when_long()

    def _taken_over(self, record: dg.RunRecord, own: Sequence[Sighting]) -> _Whole:
        """Return what a run that executes only some steps has from the run that it repeats."""
        run = record.dagster_run
        if run.parent_run_id is None or run.step_keys_to_execute is None:
            return _Whole([])
        parent_id = UUID(run.parent_run_id)
        parent = self.records([parent_id]).get(parent_id)
        if parent is None:
            return _Whole([], lacks_runs=True)
        before = sightings_of(parent, self._events(run.parent_run_id)[0])
        whole = self._whole(before)
        earlier = self._taken_over(parent, before)
        executed = {*run.step_keys_to_execute, *(sighting.step_key for sighting in own)}
        return _Whole(
            reused_sightings([*earlier.sightings, *whole.sightings], frozenset(executed)),
            [OutputsOf(parent_id), *whole.outputs_of, *earlier.outputs_of],
            lacks_runs=earlier.lacks_runs or whole.lacks_runs,
        )


def _positions(run_id: str, position: str) -> Mapping[str, str]:
    """Return where a reading ended, by run: the run itself, and those inside it that went on."""
    if not position.startswith("{"):
        return {run_id: position}
    told = json.loads(position)
    return {run_id: told["run"], **told["inside"]}


def _in_order(events: Sequence[dg.EventLogRecord]) -> list[dg.EventLogRecord]:
    """Return events in the order in which Dagster wrote them, each once, however they arrived."""
    by_number = {event.storage_id: event for event in events}
    return [by_number[number] for number in sorted(by_number)]

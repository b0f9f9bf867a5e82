"""Reads runs from a Dagster instance, with public calls only."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Final
from uuid import UUID

import dagster as dg

from dagster_pgflow.dagster_log.child_runs import as_part, children_in, interleaved
from dagster_pgflow.dagster_log.event_pages import has_records_since, records_of
from dagster_pgflow.dagster_log.records import EVENT_TYPES, facts_of, run_events_of
from dagster_pgflow.dagster_log.remembered_records import RememberedRecords
from dagster_pgflow.dagster_log.run_events import (
    OutputsOf,
    RunEnding,
    RunEvent,
    RunFacts,
    RunPhase,
    reused_events,
)
from dagster_pgflow.dagster_log.statuses import UNFINISHED, ending_of, phase_of
from dagster_pgflow.names import TAG_TOP_RUN, child_run_path

RECORDS_PER_PAGE: Final = 1000


@dataclass(frozen=True)
class RunInDagster:
    """A run that Dagster has.

    Attributes:
        run_id: Its id in Dagster.
        phase: Where it is between its request and its end.
        ending: How it ended, if it has.
        repeats: The run that it is a re-execution of, if it is one.
        record: What Dagster has of it.
    """

    run_id: UUID
    phase: RunPhase
    ending: RunEnding | None
    repeats: UUID | None
    record: dg.RunRecord = field(repr=False)


@dataclass(frozen=True)
class RunAsSeen:
    """All that Dagster knows of a run that matters to us.

    Attributes:
        facts: What is known about it beforehand.
        run_events: What happened, what it took over from the runs before it first.
        position: Where in Dagster's event logs the reading ended.
        outputs_of: The Dagster runs whose outputs it uses: itself, those inside it, and those it
            re-executes.
        lacks_runs: Whether a run inside it, or one that it goes on with, is not there any more.
    """

    facts: RunFacts
    run_events: Sequence[RunEvent]
    position: str
    outputs_of: Sequence[OutputsOf]
    lacks_runs: bool = False


@dataclass(frozen=True)
class _Whole:
    """A run and those inside it.

    Attributes:
        run_events: What Dagster saw of them.
        outputs_of: Those inside it.
        positions: Where the reading ended of those inside it that are not over.
        lacks_runs: Whether one that belongs to it is not there any more.
    """

    run_events: Sequence[RunEvent]
    outputs_of: list[OutputsOf] = field(default_factory=list)
    positions: dict[str, str] = field(default_factory=dict)
    lacks_runs: bool = False


class DagsterRuns:
    """The runs of an instance.

    Args:
        instance: The Dagster instance.
        records: Reads the records of a run; without it each reading is whole.
    """

    def __init__(
        self, instance: dg.DagsterInstance, records: RememberedRecords | None = None
    ) -> None:
        self._instance = instance
        self._records_of = partial(records_of, instance) if records is None else records.of
        self._job_tags = lru_cache(maxsize=100)(
            lambda snapshot_id: instance.get_job_snapshot(snapshot_id).tags
        )

    def find(self, dagster_run_ids: Sequence[UUID]) -> Mapping[UUID, RunInDagster]:
        """Return those of the runs that exist, by id."""
        return {
            run_id: _as_run(run_id, record)
            for run_id, record in self._records(dagster_run_ids).items()
        }

    def _records(self, dagster_run_ids: Sequence[UUID]) -> Mapping[UUID, dg.RunRecord]:
        if not dagster_run_ids:
            return {}
        found: dict[UUID, dg.RunRecord] = {}
        for start in range(0, len(dagster_run_ids), RECORDS_PER_PAGE):
            listed = [str(run_id) for run_id in dagster_run_ids[start : start + RECORDS_PER_PAGE]]
            records = self._instance.get_run_records(dg.RunsFilter(run_ids=listed))
            found |= {UUID(record.dagster_run.run_id): record for record in records}
        return found

    def has_news(self, dagster_run_id: UUID, position: str) -> bool:
        """Return whether anything has happened in a run, or in those inside it, since a reading."""
        positions = _positions(str(dagster_run_id), position)
        return any(
            has_records_since(self._instance, run_id, since, EVENT_TYPES)
            for run_id, since in positions.items()
        )

    def end_children(self, run: RunInDagster) -> bool:
        """End the runs inside a run that is over; return whether there were any.

        They end with it by themselves, unless the process was killed that they shared.
        """
        inside = dg.RunsFilter(tags={TAG_TOP_RUN: str(run.run_id)}, statuses=list(UNFINISHED))
        left = [
            child
            for child in self._instance.get_runs(inside)
            if child_run_path(child.run_id, child.tags) is not None
        ]
        for child in left:
            sentence = f"Run {run.run_id} is over, which this one was a part of."
            self._instance.report_run_canceled(child, sentence)
        return bool(left)

    def read(self, run: RunInDagster, when_long: Callable[[], None]) -> RunAsSeen:
        """Read a run, all of it.

        A part would not do: ids of events are given out before they commit, so one that was
        not there at the last reading may lie before those that were.

        Args:
            run: The run.
            when_long: Is called when one page does not hold its events.

        Raises:
            UnreadableRun: A tag of ours is missing or makes no sense.
        """
        record = run.record
        events, position = self._records_of(str(run.run_id), EVENT_TYPES, when_long)
        own = run_events_of(record, events)
        whole = self._whole(own)
        before = self._taken_over(record, own)
        if whole.positions:
            position = json.dumps({"run": position, "inside": whole.positions})
        return RunAsSeen(
            facts_of(record, events, self._pinned_tags(record.dagster_run)),
            [*before.run_events, *whole.run_events],
            position,
            [OutputsOf(run.run_id), *whole.outputs_of, *before.outputs_of],
            whole.lacks_runs or before.lacks_runs,
        )

    def _whole(self, own: Sequence[RunEvent]) -> _Whole:
        """Return what Dagster saw of a run and of those inside it, to any depth.

        Args:
            own: What it saw of the run.
        """
        children = children_in(own)
        if not children:
            return _Whole(own)
        records = self._records([child.run_id for child in children.values()])
        inside: dict[int, Sequence[RunEvent]] = {}
        outputs_of: list[OutputsOf] = []
        positions: dict[str, str] = {}
        lacks_runs = len(records) < len({child.run_id for child in children.values()})
        for place, child in children.items():
            record = records.get(child.run_id)
            if record is None:
                continue
            events, position = self._records_of(str(child.run_id), EVENT_TYPES)
            whole = self._whole(run_events_of(record, events))
            part = as_part(child, whole.run_events)
            if child.is_reused:
                part = reused_events(part, frozenset())
            inside[place] = part
            lacks_runs = lacks_runs or whole.lacks_runs
            outputs_of += [OutputsOf(child.run_id, child.path), *whole.outputs_of]
            if ending_of(record.dagster_run.status) is None:
                positions |= {str(child.run_id): position, **whole.positions}
        return _Whole(interleaved(own, children, inside), outputs_of, positions, lacks_runs)

    def _pinned_tags(self, run: dg.DagsterRun) -> Mapping[str, str]:
        """Return the tags of the job that the run executes.

        Those of the run itself may be older: a re-execution has the tags of the run that it
        repeats, and so has a run that somebody launches from the page of another one.
        """
        if run.job_snapshot_id is None:
            return run.tags
        return self._job_tags(run.job_snapshot_id)

    def _taken_over(self, record: dg.RunRecord, own: Sequence[RunEvent]) -> _Whole:
        """Return what a run that executes only some steps has from the run that it repeats."""
        run = record.dagster_run
        if run.parent_run_id is None or run.step_keys_to_execute is None:
            return _Whole([])
        parent_id = UUID(run.parent_run_id)
        parent = self._records([parent_id]).get(parent_id)
        if parent is None:
            return _Whole([], lacks_runs=True)
        events, _ = self._records_of(run.parent_run_id, EVENT_TYPES)
        before = run_events_of(parent, events)
        whole = self._whole(before)
        earlier = self._taken_over(parent, before)
        executed = {*run.step_keys_to_execute, *(run_event.step_key for run_event in own)}
        return _Whole(
            reused_events([*earlier.run_events, *whole.run_events], frozenset(executed)),
            [OutputsOf(parent_id), *whole.outputs_of, *earlier.outputs_of],
            lacks_runs=earlier.lacks_runs or whole.lacks_runs,
        )


def _positions(run_id: str, position: str) -> Mapping[str, str]:
    """Return where a reading ended, by run: the run itself, and those inside it that went on."""
    if not position.startswith("{"):
        return {run_id: position}
    positions = json.loads(position)
    return {run_id: positions["run"], **positions["inside"]}


def _as_run(run_id: UUID, record: dg.RunRecord) -> RunInDagster:
    run = record.dagster_run
    return RunInDagster(
        run_id=run_id,
        phase=phase_of(run.status),
        ending=ending_of(run.status),
        repeats=UUID(run.parent_run_id) if run.parent_run_id else None,
        record=record,
    )

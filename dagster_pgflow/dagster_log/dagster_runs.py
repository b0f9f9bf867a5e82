"""Reads runs from a Dagster instance, with public calls only."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Final
from uuid import UUID

import dagster as dg

from dagster_pgflow.dagster_log.child_runs import as_part, children_in, interleaved
from dagster_pgflow.dagster_log.continuations import (
    Position,
    as_continued,
    chains_of,
    is_over,
    position_in,
)
from dagster_pgflow.dagster_log.event_pages import has_records_since, records_of
from dagster_pgflow.dagster_log.losses import is_retried_by_dagster
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
from dagster_pgflow.dagster_log.unshown_skips import UnshownSkip, unshown_skips
from dagster_pgflow.names import TAG_TOP_RUN, child_run_path

RECORDS_PER_PAGE: Final = 1000


@dataclass(frozen=True)
class RunInDagster:
    """A run that Dagster has: one Dagster run, and those that go on with it after it waited.

    Attributes:
        run_id: The id of the first in Dagster.
        phase: Where the newest is between its request and its end.
        ending: How that ended, if it has.
        repeats: The run that it is a re-execution of, if it is one.
        record: What Dagster has of the first.
        continuations: What it has of the others, in their order.
    """

    run_id: UUID
    phase: RunPhase
    ending: RunEnding | None
    repeats: UUID | None
    record: dg.RunRecord = field(repr=False)
    continuations: Sequence[dg.RunRecord] = field(default=(), repr=False)

    @property
    def newest(self) -> dg.DagsterRun:
        """The newest of its Dagster runs."""
        return self.dagster_runs[-1]

    @property
    def dagster_runs(self) -> Sequence[dg.DagsterRun]:
        """All its Dagster runs, in their order."""
        return [one.dagster_run for one in (self.record, *self.continuations)]

    @property
    def dagster_run_ids(self) -> Sequence[UUID]:
        """The ids of all its Dagster runs, in their order."""
        return [UUID(run.run_id) for run in self.dagster_runs]


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
        continuations_over: The ids of the Dagster runs that went on with it and have ended.
        skips: The ops of it, and of the runs inside it, that do not look skipped yet and should.
    """

    facts: RunFacts
    run_events: Sequence[RunEvent]
    position: str
    outputs_of: Sequence[OutputsOf]
    lacks_runs: bool = False
    continuations_over: Sequence[UUID] = ()
    skips: Sequence[UnshownSkip] = ()


@dataclass(frozen=True)
class _Whole:
    """A run and those inside it.

    Attributes:
        run_events: What Dagster saw of them.
        outputs_of: Those inside it.
        positions: Where the reading ended of those inside it that are not over.
        lacks_runs: Whether one that belongs to it is not there any more.
        skips: The ops that do not look skipped yet and should.
    """

    run_events: Sequence[RunEvent]
    outputs_of: list[OutputsOf] = field(default_factory=list)
    positions: dict[str, str] = field(default_factory=dict)
    lacks_runs: bool = False
    skips: list[UnshownSkip] = field(default_factory=list)

    def of(self, run_id: UUID, skips: Sequence[UnshownSkip]) -> "_Whole":
        """Return the same with what is known of the run itself.

        Args:
            run_id: The run.
            skips: Its ops that do not look skipped yet and should.
        """
        return replace(
            self,
            outputs_of=[OutputsOf(run_id), *self.outputs_of],
            skips=[*skips, *self.skips],
        )


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
        """Return those of the runs that exist, by id, each with those that go on with it."""
        chains = chains_of(self._records(dagster_run_ids), self._records)
        return {run_id: _as_run(run_id, chain) for run_id, chain in chains.items()}

    def _records(self, dagster_run_ids: Sequence[UUID]) -> Mapping[UUID, dg.RunRecord]:
        if not dagster_run_ids:
            return {}
        found: dict[UUID, dg.RunRecord] = {}
        for start in range(0, len(dagster_run_ids), RECORDS_PER_PAGE):
            listed = [str(run_id) for run_id in dagster_run_ids[start : start + RECORDS_PER_PAGE]]
            records = self._instance.get_run_records(dg.RunsFilter(run_ids=listed))
            found |= {UUID(record.dagster_run.run_id): record for record in records}
        return found

    def has_news(self, run: RunInDagster, position: str) -> bool:
        """Return whether anything has happened in a run, or in those inside it, since a reading.

        Of a Dagster run that has ended there are none, once it was read a while after its end.
        """
        known = position_in(position)
        newest = run.newest.run_id
        if newest != (known.newest or str(run.run_id)):
            return True
        if run.ending is not None:
            return not known.rests
        return any(
            has_records_since(self._instance, run_id, since, EVENT_TYPES)
            for run_id, since in {newest: known.run, **known.inside}.items()
        )

    def end_children(self, run: RunInDagster) -> bool:
        """End the runs inside a run that is over; return whether there were any.

        They end with it by themselves, unless the process was killed that they shared.
        """
        around = run.newest.run_id
        inside = dg.RunsFilter(tags={TAG_TOP_RUN: around}, statuses=list(UNFINISHED))
        left = [
            child
            for child in self._instance.get_runs(inside)
            if child_run_path(child.run_id, child.tags) is not None
        ]
        for child in left:
            sentence = f"Run {around} is over, which this one was a part of."
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
        inside: set[UUID] = set()
        whole = self._whole(own, inside)
        before = self._taken_over(record, own)
        reached = Position(position, whole.positions)
        parts = [before, whole.of(run.run_id, unshown_skips(own, events))]
        over: list[UUID] = []
        for continuation in run.continuations:
            part, reached = self._continued(continuation, inside, when_long)
            parts.append(part)
            over += [part.outputs_of[0].run_id] if is_over(part.run_events) else []
        facts = facts_of(record, events, self._pinned_tags(record.dagster_run))
        if is_retried_by_dagster(self._instance, record.dagster_run):
            facts = replace(facts, max_recoveries=0)
        return RunAsSeen(
            facts,
            [run_event for part in parts for run_event in part.run_events],
            reached.to_text(),
            # What a step made that had waited counts, and not that it waited.
            [used for part in reversed(parts) for used in part.outputs_of],
            any(part.lacks_runs for part in parts),
            over,
            [skip for part in parts for skip in part.skips],
        )

    def _continued(
        self, record: dg.RunRecord, inside: set[UUID], when_long: Callable[[], None]
    ) -> tuple[_Whole, Position]:
        """Return what Dagster saw of a run that goes on with another one, and where that ended."""
        run_id = record.dagster_run.run_id
        events, position = self._records_of(run_id, EVENT_TYPES, when_long)
        own = list(as_continued(run_events_of(record, events), UUID(run_id)))
        whole = self._whole(own, inside)
        part = whole.of(UUID(run_id), unshown_skips(own, events))
        return part, Position(position, whole.positions, run_id)

    def _whole(self, own: Sequence[RunEvent], read: set[UUID]) -> _Whole:
        """Return what Dagster saw of a run and of those inside it, to any depth.

        Args:
            own: What it saw of the run.
            read: The runs inside that are read with it; those of this one are added.
        """
        children = children_in(own)
        if not children:
            return _Whole(own)
        records = self._records([child.run_id for child in children.values()])
        inside: dict[int, Sequence[RunEvent]] = {}
        outputs_of: list[OutputsOf] = []
        positions: dict[str, str] = {}
        skips: list[UnshownSkip] = []
        lacks_runs = len(records) < len({child.run_id for child in children.values()})
        for place, child in children.items():
            record = records.get(child.run_id)
            if record is None:
                continue
            events, position = self._records_of(str(child.run_id), EVENT_TYPES)
            own_of_child = run_events_of(record, events)
            whole = self._whole(own_of_child, read)
            before = self._taken_over_inside(record, own_of_child, read)
            read.add(child.run_id)
            part = as_part(child, [*before.run_events, *whole.run_events])
            if child.is_reused:
                part = reused_events(part, frozenset())
            inside[place] = part
            skips += [*unshown_skips(own_of_child, events), *whole.skips]
            lacks_runs = lacks_runs or whole.lacks_runs or before.lacks_runs
            outputs_of += [OutputsOf(child.run_id, child.path), *whole.outputs_of]
            outputs_of += [
                replace(used, child_run=used.child_run or child.path) for used in before.outputs_of
            ]
            if ending_of(record.dagster_run.status) is None:
                positions |= {str(child.run_id): position, **whole.positions}
        seen = interleaved(own, children, inside)
        return _Whole(seen, outputs_of, positions, lacks_runs, skips)

    def _pinned_tags(self, run: dg.DagsterRun) -> Mapping[str, str]:
        """Return the tags of the job that the run executes.

        Those of the run itself may be older: a re-execution has the tags of the run that it
        repeats, and so has a run that somebody launches from the page of another one.
        """
        if run.job_snapshot_id is None:
            return run.tags
        return self._job_tags(run.job_snapshot_id)

    def _taken_over_inside(
        self, record: dg.RunRecord, own: Sequence[RunEvent], read: set[UUID]
    ) -> _Whole:
        """Return what a run inside another one has from one that it goes on with.

        One that is read as well, since the run around both goes on, has said so itself.
        """
        before = record.dagster_run.parent_run_id
        if before is None or UUID(before) in read:
            return _Whole([])
        return self._taken_over(record, own)

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
        whole = self._whole(before, set())
        earlier = self._taken_over(parent, before)
        executed = {*run.step_keys_to_execute, *(run_event.step_key for run_event in own)}
        return _Whole(
            reused_events([*earlier.run_events, *whole.run_events], frozenset(executed)),
            [OutputsOf(parent_id), *whole.outputs_of, *earlier.outputs_of],
            lacks_runs=earlier.lacks_runs or whole.lacks_runs,
        )


def _as_run(run_id: UUID, chain: Sequence[dg.RunRecord]) -> RunInDagster:
    first, newest = chain[0].dagster_run, chain[-1].dagster_run
    return RunInDagster(
        run_id=run_id,
        phase=phase_of(newest.status),
        ending=ending_of(newest.status),
        repeats=UUID(first.parent_run_id) if first.parent_run_id else None,
        record=chain[0],
        continuations=chain[1:],
    )

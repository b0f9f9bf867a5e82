"""Reads runs from a Dagster instance, with public calls only."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from uuid import UUID

import dagster as dg

from dagster_pgflow.projection.sightings import (
    EVENT_TYPES,
    RunFacts,
    Sighting,
    facts_of,
    reused_sightings,
    sightings_of,
)

EVENTS_PER_PAGE: Final = 5000


@dataclass(frozen=True)
class RunAsSeen:
    """All that Dagster knows of a run that matters to us.

    Attributes:
        facts: What is known about it beforehand.
        sightings: What happened, what it took over from the runs before it first.
        position: Where in Dagster's event log the reading ended.
        outputs_of: The Dagster runs whose outputs it uses: itself, and those it re-executes.
    """

    facts: RunFacts
    sightings: Sequence[Sighting]
    position: str
    outputs_of: Sequence[UUID]


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
        listed = [str(dagster_run_id) for dagster_run_id in dagster_run_ids]
        found = self._instance.get_run_records(dg.RunsFilter(run_ids=listed))
        return {UUID(record.dagster_run.run_id): record for record in found}

    def has_news(self, dagster_run_id: UUID, position: str) -> bool:
        """Say whether anything has happened in a run since a reading."""
        page = self._instance.get_records_for_run(
            str(dagster_run_id), position, of_type=set(EVENT_TYPES), limit=1
        )
        return bool(page.records)

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
        sightings = sightings_of(record, events)
        taken_over, outputs_of = self._taken_over(record, sightings)
        return RunAsSeen(
            facts_of(record, events, self._pinned_tags(record.dagster_run)),
            [*taken_over, *sightings],
            position,
            [UUID(run_id), *outputs_of],
        )

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

    def _taken_over(
        self, record: dg.RunRecord, own: Sequence[Sighting]
    ) -> tuple[list[Sighting], list[UUID]]:
        """Return what a run that executes only some steps has from the run that it repeats."""
        run = record.dagster_run
        if run.parent_run_id is None or run.step_keys_to_execute is None:
            return [], []
        parent_id = UUID(run.parent_run_id)
        parent = self.records([parent_id]).get(parent_id)
        if parent is None:
            return [], []
        before = sightings_of(parent, self._events(run.parent_run_id)[0])
        earlier, outputs_of = self._taken_over(parent, before)
        executed = {*run.step_keys_to_execute, *(sighting.step_key for sighting in own)}
        return reused_sightings([*earlier, *before], frozenset(executed)), [parent_id, *outputs_of]


def _in_order(events: Sequence[dg.EventLogRecord]) -> list[dg.EventLogRecord]:
    """Return events in the order in which Dagster wrote them, each once, however they arrived."""
    by_number = {event.storage_id: event for event in events}
    return [by_number[number] for number in sorted(by_number)]

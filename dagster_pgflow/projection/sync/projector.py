"""Brings the run tables up to date with Dagster: looks at run after run, writes what it saw.

Which runs there are to look at is a table, and each look is one transaction of its own. So a
tick may end anywhere and the next goes on, a run that cannot be read holds up no other, and two
sensors at once only cost time.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import dagster as dg

from dagster_pgflow.dagster_log.dagster_runs import DagsterRuns, RunInDagster
from dagster_pgflow.dagster_log.remembered_records import RememberedRecords
from dagster_pgflow.dagster_log.run_events import OutputsOf, RunFacts
from dagster_pgflow.dagster_log.which_log import log_of
from dagster_pgflow.errors import PgflowError
from dagster_pgflow.model.run_cursor import NextLook, RunCursor
from dagster_pgflow.model.run_state import LogEvent, RunState
from dagster_pgflow.projection.fold.fold import fold
from dagster_pgflow.projection.layout.announcements import layout_seen
from dagster_pgflow.projection.layout.growing_layout import layout_of
from dagster_pgflow.projection.layout.layout import (
    Layout,
    PinnedTree,
    contains_child_runs,
)
from dagster_pgflow.projection.sync.discovery import discover
from dagster_pgflow.projection.sync.lost_runs import lost_because
from dagster_pgflow.projection.sync.next_look import (
    WAITING_S,
    lacks_newest,
    next_look,
    next_recovery,
    went_on_further,
)
from dagster_pgflow.projection.sync.outputs_used import outputs_in
from dagster_pgflow.projection.sync.own_log import Pins, layout_in, outputs_used
from dagster_pgflow.projection.sync.route_in_dagster import show_route
from dagster_pgflow.projection.sync.skips_in_dagster import show_skips
from dagster_pgflow.projection.sync.store import ProjectionStore
from dagster_pgflow.projection.sync.wait_in_dagster import show_going_on, show_wait
from dagster_pgflow.projection.translate.tokens import RUN_ENDS
from dagster_pgflow.projection.translate.translation import cut_short, translate

RUNS_PER_PAGE: Final = 100
LONG_S: Final = 60.0
"""A run with very many events goes behind the others first, in case that time runs out over it."""

RETRY_S: Final = 5.0
MAX_RETRY_S: Final = 3600.0
"""A run that makes trouble is set aside, for twice as long each time."""

GIVEN_UP_AFTER: Final = 3
"""A run that is over and could not be read so often ends without its rows: much trouble passes."""

MESSAGE_LENGTH: Final = 2000


@dataclass
class ProjectionResult:
    """What a tick of the projection did.

    Attributes:
        written: How many runs were read and written.
        idle: How many had nothing new.
        problems: One sentence for each run that could not be read.
        is_complete: Whether every run was looked at before time ran out.
    """

    written: int = 0
    idle: int = 0
    problems: list[str] = field(default_factory=list)
    is_complete: bool = True


def pins_of(store: ProjectionStore) -> Pins:
    """Return what loads definitions and keeps those used last; versions never change."""

    @lru_cache(maxsize=100)
    def load(flow_slug: str, watermark: int) -> tuple[PinnedTree, Layout]:
        tree = store.definitions.tree(flow_slug, watermark)
        return tree, layout_of(flow_slug, tree)

    return load


def project(
    instance: dg.DagsterInstance,
    store: ProjectionStore,
    *,
    pins: Pins | None = None,
    budget_s: float = float("inf"),
    log: logging.Logger | None = None,
) -> ProjectionResult:
    """Find the runs of our flows and bring their rows up to date.

    Args:
        instance: The Dagster instance.
        store: The store.
        pins: What loads definitions; keep one for many ticks.
        budget_s: Seconds after which no other look is begun.
        log: Where problems go.
    """
    deadline = time.monotonic() + budget_s
    log = log or logging.getLogger(__name__)
    discover(instance, store, log=log)
    projector = Projector(instance, store, pins or pins_of(store), log=log)
    return projector.look_at_due_runs(deadline)


def rebuild(
    instance: dg.DagsterInstance, store: ProjectionStore, *, log: logging.Logger | None = None
) -> ProjectionResult:
    """Make all rows of all runs again, from the first event.

    Rows keep their numbers. Runs that Dagster has no more are folded from our own event log, and so
    are those of which it lacks a run inside.

    Args:
        instance: The Dagster instance.
        store: The store.
        log: Where problems go.
    """
    store.tables.reopen()
    log = log or logging.getLogger(__name__)
    discover(instance, store, from_the_start=True, log=log)
    projector = Projector(instance, store, pins_of(store), log=log, rewrite=True)
    return projector.look_at_due_runs(float("inf"))


class Projector:
    """Looks at runs.

    Args:
        instance: The Dagster instance.
        store: The store.
        pins: What loads definitions.
        log: Where problems go.
        rewrite: Whether to write everything anew, even what seems to be as it was.
        records: Remembers what was read, for one that looks at the same runs again and again.
    """

    def __init__(
        self,
        instance: dg.DagsterInstance,
        store: ProjectionStore,
        pins: Pins,
        *,
        log: logging.Logger | None = None,
        rewrite: bool = False,
        records: RememberedRecords | None = None,
    ) -> None:
        self._instance = instance
        self._runs = DagsterRuns(instance, records)
        self._store = store
        self._tables = store.tables
        self._pins = pins
        self._log = log or logging.getLogger(__name__)
        self._rewrite = rewrite

    def look_at_due_runs(self, deadline: float) -> ProjectionResult:
        """Look at every run that is due, those that wait longest first.

        Args:
            deadline: When to stop, by `time.monotonic`.
        """
        result = ProjectionResult()
        as_of = self._tables.clock()
        own_log = log_of(self._instance)
        while cursors := self._tables.due(as_of, RUNS_PER_PAGE, own_log):
            runs = self._runs.find([cursor.dagster_run_id for cursor in cursors])
            idle: list[UUID] = []
            waiting: list[UUID] = []
            for cursor in cursors:
                if time.monotonic() > deadline:
                    result.is_complete = False
                    break
                run = runs.get(cursor.dagster_run_id)
                if not self._look_safely(cursor, run, result):
                    goes_on = run is None or run.ending is None
                    (idle if goes_on else waiting).append(cursor.dagster_run_id)
            result.idle += len(idle) + len(waiting)
            self._tables.postpone(idle)
            self._tables.postpone(waiting, WAITING_S)
            if not result.is_complete:
                break
        return result

    def look_at(self, dagster_run_ids: Sequence[UUID]) -> ProjectionResult:
        """Look at some runs of the list, whether or not they are due.

        Args:
            dagster_run_ids: The runs, or those that go on with them.
        """
        result = ProjectionResult()
        cursors = self._tables.cursors(dagster_run_ids)
        runs = self._runs.find([cursor.dagster_run_id for cursor in cursors])
        for cursor in cursors:
            run = runs.get(cursor.dagster_run_id)
            result.idle += not self._look_safely(cursor, run, result)
        return result

    def _look_safely(
        self, cursor: RunCursor, run: RunInDagster | None, result: ProjectionResult
    ) -> bool:
        """Look at a run and keep to yourself what goes wrong; return whether it had news.

        Whatever it is, it is this run's trouble as long as it can be noted: a store that is away
        takes no notes either, and ends the tick.
        """
        try:
            has_news = self._look(cursor, run)
        except Exception as error:  # noqa: BLE001  one broken run must not stop the others
            self._note_failure(cursor, run, error, result)
            return True
        result.written += has_news
        return has_news

    def _look(self, cursor: RunCursor, run: RunInDagster | None) -> bool:
        if run is None or lacks_newest(run, cursor.position):
            self._settle_lost_run(cursor)
            return True
        began = time.monotonic()
        run_id = cursor.dagster_run_id
        if cursor.position and not self._runs.has_news(run, cursor.position):
            return False
        seen = self._runs.read(run, lambda: self._tables.postpone([run_id], LONG_S))
        if seen.lacks_runs and self._settle_from_own_log(cursor):
            return True
        facts = self._identified(seen.facts, run)
        tree, layout = self._pins(facts.flow_slug, facts.watermark)
        if run.ending and contains_child_runs(tree) and self._runs.end_children(run):
            seen = self._runs.read(run, lambda: None)
        if layout.has_lists:
            layout = layout_seen(facts.flow_slug, tree, seen.run_events)
        events = translate(facts, tree, layout, seen.run_events)
        state = fold(layout, events, self._outputs(events, seen.outputs_of))
        waits_anew = state.run.status == "waiting" and cursor.position is None
        if waits_anew and went_on_further(run, self._own_events(cursor)):
            self._settle_lost_run(cursor)
            return True
        following = next_look(cursor, run, seen, state.run.status, time.monotonic() - began)
        saved = self._tables.save(
            cursor,
            state,
            events,
            following,
            continuations_over=seen.continuations_over,
            recovery=next_recovery(run, events),
            rewrite=self._writes_anew(cursor),
        )
        if saved and not self._rewrite:
            show_skips(self._instance, seen.skips)
            self._show(run, state, events, following)
        return True

    def _show(
        self, run: RunInDagster, state: RunState, events: Sequence[LogEvent], following: NextLook
    ) -> None:
        """Say in Dagster what it cannot know of a run: which route it took, and that it waits."""
        waits = state.run.status == "waiting"
        if not waits:
            show_going_on(self._instance, run.dagster_runs)
        if following.is_over and not waits:
            show_route(self._instance, run.newest, events)
        if following.is_over and waits and not following.rests:
            show_wait(self._instance, run.newest, state.steps)

    def _writes_anew(self, cursor: RunCursor) -> bool:
        """Return whether to write what seems to be as it was.

        Whoever comes first to a run that a rebuild has opened again does the rebuild's work.
        """
        return self._rewrite or cursor.position is None

    def _identified(self, facts: RunFacts, run: RunInDagster) -> RunFacts:
        """Settle under which id a run is known, what was asked for when, and what it repeats."""
        if facts.input_of is not None:
            facts = replace(facts, input=self._tables.input_of_request(facts.input_of))
        if run.repeats is not None:
            retry_of = self._tables.run_id_of(run.repeats) or run.repeats
            return replace(facts, retry_of=retry_of)
        if facts.run_id == facts.dagster_run_id:
            return facts
        taken_by, requested_at = self._tables.identity(facts.run_id)
        if taken_by not in (None, facts.dagster_run_id):
            # Somebody launched a run anew with all its tags: one run_id cannot name both.
            return replace(facts, run_id=facts.dagster_run_id)
        return replace(facts, created_at=requested_at or facts.created_at)

    def _outputs(self, events: Sequence[LogEvent], runs: Sequence[OutputsOf]) -> dict[str, Any]:
        return outputs_in(self._store.outputs, events, runs)

    def _settle_lost_run(self, cursor: RunCursor) -> None:
        """End a run that is gone from Dagster; one that had ended keeps its end."""
        events = self._own_events(cursor)
        if events:
            self._settle(cursor, events)
        else:
            self._tables.lose(cursor, self._lost_because(cursor))

    def _lost_because(self, cursor: RunCursor) -> str:
        return lost_because(cursor.log, log_of(self._instance))

    def _settle_from_own_log(self, cursor: RunCursor) -> bool:
        """Keep what is known of a run that has ended, of which a part is gone from Dagster.

        Returns:
            Whether all of it is known.
        """
        events = self._own_events(cursor)
        if not events or events[-1].event_type not in RUN_ENDS:
            return False
        self._settle(cursor, events)
        return True

    def _own_events(self, cursor: RunCursor) -> Sequence[LogEvent]:
        run_id = self._tables.run_id_of(cursor.dagster_run_id)
        return self._tables.events(run_id) if run_id else ()

    def _settle(self, cursor: RunCursor, events: Sequence[LogEvent]) -> None:
        layout = layout_in(self._pins, events)
        ended = cut_short(layout, events, self._tables.clock(), self._lost_because(cursor))
        runs = outputs_used(self._pins, self._tables, events)
        state = fold(layout, ended, self._outputs(ended, runs))
        following = NextLook(cursor.position, is_over=True, is_final=True, pause=0)
        self._tables.save(cursor, state, ended, following, rewrite=self._writes_anew(cursor))

    def _note_failure(
        self,
        cursor: RunCursor,
        run: RunInDagster | None,
        error: Exception,
        result: ProjectionResult,
    ) -> None:
        reason = _message_of(error)
        sentence = f"Run {cursor.dagster_run_id} could not be read: {reason}"
        pause = min(RETRY_S * 2.0 ** min(cursor.failures, 20), MAX_RETRY_S)
        self._tables.note_failure(cursor, reason, pause)
        self._log.warning(sentence, exc_info=error)
        result.problems.append(sentence)
        ending = run.ending if run is not None else None
        if ending is not None and cursor.failures + 1 >= GIVEN_UP_AFTER:
            self._tables.end_unread(cursor, ending, sentence)


def _message_of(error: Exception) -> str:
    """Return what an error says, in a form that can be stored and shown anywhere."""
    text = str(error) if isinstance(error, PgflowError) else f"{type(error).__name__}: {error}"
    shown = text if len(text) <= MESSAGE_LENGTH else f"{text[:MESSAGE_LENGTH]} …"
    return shown.replace("\x00", "\ufffd").encode(errors="backslashreplace").decode()

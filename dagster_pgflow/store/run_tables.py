"""What the projection writes: the rows of a run and how far it is read, in one transaction."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from dagster_pgflow.json_values.text import read_json
from dagster_pgflow.model.run_cursor import FoundRun, NextLook, RunCursor
from dagster_pgflow.model.run_state import (
    AttemptRow,
    LogEvent,
    RunRow,
    RunState,
    RunStatus,
    StepRow,
    SubrunRow,
    TaskRow,
)
from dagster_pgflow.step_errors import ValueNotJson
from dagster_pgflow.store.columns import columns, json_text
from dagster_pgflow.store.database import Database, Transaction
from dagster_pgflow.store.execution_rows import write_execution
from dagster_pgflow.store.found_runs import list_runs
from dagster_pgflow.store.pieces import drop_from, keep_only, pieces, write_rows
from dagster_pgflow.store.requests import input_text

_SUBRUN_IDENTITY = ("subrun_path", "parent_step_slug", "subflow_slug", "run_index", "subrun_index")


class RunTables:
    """Writes the run tables, and keeps the list of the runs to look at."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def clock(self) -> datetime:
        """Return what time it is for the store."""
        now: datetime = self._database.fetch_value("fetch_clock")
        return now

    def position(self, name: str) -> Mapping[str, Any] | None:
        """Return how far a sensor has read, or `None` before its first time."""
        position: Mapping[str, Any] | None = self._database.fetch_value("fetch_position", name=name)
        return position

    def register(self, found: Sequence[FoundRun], name: str, position: Mapping[str, Any]) -> None:
        """Put new and changed runs on the list, and note how far the sensor has read.

        Args:
            found: Runs of ours that Dagster has; those known and unchanged are left alone.
            name: The sensor's cursor.
            position: How far it has read.
        """

        def register(transaction: Transaction) -> None:
            list_runs(transaction, found)
            transaction.execute("save_position", name=name, position=json.dumps(position))

        self._database.run(register)

    def announce(self, found: FoundRun) -> None:
        """Put one run on the list, whatever a sensor has read."""
        self._database.run(lambda transaction: list_runs(transaction, [found]))

    def see(self, own_log: str) -> None:
        """Note that a Dagster looks after its runs, so that no other one does.

        Args:
            own_log: Which one; see `dagster_log.which_log`.
        """
        self._database.execute("see_log", log=own_log)

    def due(self, as_of: datetime, limit: int, own_log: str | None) -> tuple[RunCursor, ...]:
        """Return runs to look at, those that wait longest first.

        Args:
            as_of: The moment, by the store's clock, as of which they are due.
            limit: How many at most.
            own_log: Which Dagster looks; runs stay out that another one has and looks after.
        """
        rows = self._database.fetch_all(
            "fetch_due_cursors", as_of=as_of, limit=limit, own_log=own_log
        )
        return tuple(RunCursor(**row) for row in rows)

    def cursors(self, dagster_run_ids: Sequence[UUID]) -> tuple[RunCursor, ...]:
        """Return what is known of runs that are on the list, due or not."""
        listed = [str(dagster_run_id) for dagster_run_id in dagster_run_ids]
        rows = self._database.fetch_all("fetch_cursors", dagster_run_ids=listed)
        return tuple(RunCursor(**row) for row in rows)

    def postpone(self, dagster_run_ids: Sequence[UUID], pause: float = 0.0) -> None:
        """Put runs at the end of the list, or even further by so many seconds."""
        if dagster_run_ids:
            listed = [str(dagster_run_id) for dagster_run_id in dagster_run_ids]
            self._database.execute("postpone_runs", dagster_run_ids=listed, pause=pause)

    def identity(self, run_id: UUID) -> tuple[UUID | None, datetime | None]:
        """Return the Dagster run that has a run_id, and when that run was requested."""
        row = self._database.fetch_one("fetch_identity", run_id=str(run_id))
        return (None, None) if row is None else (row["dagster_run_id"], row["requested_at"])

    def run_id_of(self, dagster_run_id: UUID) -> UUID | None:
        """Return the run that a Dagster run is, if it is known."""
        run_id: UUID | None = self._database.fetch_value(
            "fetch_run_id", dagster_run_id=str(dagster_run_id)
        )
        return run_id

    def input_of_request(self, run_id: str) -> Any:
        """Return the input of a request; `None` when that is gone, or nobody can read it."""
        text = input_text(self._database, run_id)
        try:
            return None if text is None else read_json(text, "The input of the request")
        except ValueNotJson:
            return None

    def events(self, run_id: UUID) -> tuple[LogEvent, ...]:
        """Return the event log of a run."""
        rows = self._database.fetch_all("fetch_events", run_id=str(run_id))
        return tuple(LogEvent(**row) for row in rows)

    def save(
        self,
        cursor: RunCursor,
        state: RunState,
        events: Sequence[LogEvent],
        following: NextLook,
        *,
        continuations_over: Sequence[UUID] = (),
        recovery: int | None = None,
        rewrite: bool = False,
    ) -> bool:
        """Write a run and how far it is read; what is as it was stays untouched.

        Args:
            cursor: What was known before the look.
            state: All rows of the run.
            events: All its events.
            following: What the look leaves for the next one.
            continuations_over: The Dagster runs that went on with it and have ended.
            recovery: The how manieth Dagster run behind the first is to go on with it, where it has
                lost its process.
            rewrite: Whether to write events anew that seem to be the same.

        Returns:
            Whether it was written; nothing is, when somebody else read the run meanwhile.
        """

        def write(transaction: Transaction) -> bool:
            if continuations_over or recovery is not None:
                # Before the cursor: who takes the run up has this lock when it comes for that one.
                transaction.execute("lock_continuations", run_id=str(state.run.run_id))
            advanced = transaction.execute(
                "advance_run_cursor",
                dagster_run_id=str(cursor.dagster_run_id),
                looks=cursor.looks,
                position=following.position,
                is_over=following.is_over,
                is_final=following.is_final,
                pause=following.pause,
            )
            if not advanced:
                return False
            if continuations_over:
                # One is under way at a time, so before there may be a next one.
                listed = [str(dagster_run_id) for dagster_run_id in continuations_over]
                transaction.execute("end_continuations", dagster_run_ids=listed)
            if recovery is not None:
                # First of what is written: then it is known that the run keeps its place.
                run_id = str(state.run.run_id)
                transaction.fetch_value("recover_run", run_id=run_id, number=recovery)
            number = _write_run(transaction, state.run)
            _write_parts(transaction, number, state)
            _end_waits(transaction, state)
            kept, last = _write_events(transaction, state.run.run_id, events, rewrite=rewrite)
            write_execution(transaction, str(state.run.run_id), state.execution, kept, last)
            return True

        return self._database.run(write)

    def note_failure(self, cursor: RunCursor, message: str, pause: float) -> None:
        """Note why a look at a run failed, and when to try again (in seconds)."""
        self._database.execute(
            "note_failed_look",
            dagster_run_id=str(cursor.dagster_run_id),
            looks=cursor.looks,
            error_message=message,
            pause=pause,
        )

    def end_unread(self, cursor: RunCursor, status: RunStatus, message: str) -> None:
        """End a run that cannot be read, so that nobody waits for it for ever."""
        self._database.run(lambda transaction: _end_unread(transaction, cursor, status, message))

    def lose(self, cursor: RunCursor, message: str) -> None:
        """End a run that is gone from Dagster before anything of it was read."""

        def lose(transaction: Transaction) -> None:
            _end_unread(transaction, cursor, "cancelled", message)
            transaction.execute("drop_run_cursor", dagster_run_id=str(cursor.dagster_run_id))

        self._database.run(lose)

    def reopen(self) -> None:
        """Have every run read again, and bring back requested runs whose rows are gone."""

        def reopen(transaction: Transaction) -> None:
            transaction.execute("reopen_runs")
            transaction.execute("restore_requested_runs")

        self._database.run(reopen)


def _end_unread(
    transaction: Transaction, cursor: RunCursor, status: RunStatus, message: str
) -> None:
    transaction.execute(
        "end_unread_run",
        dagster_run_id=str(cursor.dagster_run_id),
        status=status,
        error_message=message.replace("\x00", "\ufffd"),
    )
    transaction.execute("end_unread_tokens", dagster_run_id=str(cursor.dagster_run_id))


def _write_run(transaction: Transaction, run: RunRow) -> int:
    run_id = str(run.run_id)
    number: int | None = transaction.fetch_value("lock_run", run_id=run_id)
    if number is None:
        number = transaction.fetch_value("insert_run", run_id=run_id, flow_slug=run.flow_slug)
    values = {name: column[0] for name, column in columns(RunRow, [run]).items()}
    del values["run_id"]
    values["input"] = json_text(run.input)
    transaction.execute("update_run", id=number, **values)
    return int(number or 0)


def _write_parts(transaction: Transaction, number: int, state: RunState) -> None:
    of_run = {"id": number, "run_id": str(state.run.run_id)}
    for piece in pieces(state.subruns):
        all_columns = columns(SubrunRow, piece)
        identity = {name: all_columns[name] for name in _SUBRUN_IDENTITY}
        transaction.execute("insert_subruns", id=number, **identity)
    # What they lie in may be in another piece.
    write_rows(transaction, "update_subruns", SubrunRow, state.subruns, id=number)
    keep_only(transaction, "drop_subruns", ("subrun_path",), state.subruns, id=number)
    for name, kind, key, rows in (
        ("steps", StepRow, ("step_path",), state.steps),
        ("tasks", TaskRow, ("step_path", "task_index"), state.tasks),
        ("node_executions", AttemptRow, ("step_path", "task_index", "attempt"), state.attempts),
    ):
        write_rows(transaction, f"write_{name}", kind, rows, **of_run)
        keep_only(transaction, f"drop_{name}", key, rows, run_id=of_run["run_id"])


def _end_waits(transaction: Transaction, state: RunState) -> None:
    """End the waits of steps that are cancelled though their run goes on; its end ends all."""
    if state.run.status not in ("queued", "started", "waiting"):
        return
    cancelled = [step.step_path for step in state.steps if step.status == "cancelled"]
    if cancelled:
        run_id = str(state.run.run_id)
        transaction.execute("end_waits_of_steps", run_id=run_id, step_paths=cancelled)


def _write_events(
    transaction: Transaction, run_id: UUID, events: Sequence[LogEvent], *, rewrite: bool
) -> tuple[int, int]:
    """Write the events from the first that differs.

    An id stands for all that an event says.

    Returns:
        How many are as they were, and how many there were.
    """
    stored = transaction.fetch_value("fetch_event_ids", run_id=str(run_id)) or []
    kept = 0 if rewrite else _common(stored, [str(event.event_id) for event in events])
    drop_from(transaction, "delete_events", kept, len(stored), run_id=str(run_id))
    for piece in pieces(events[kept:]):
        given: dict[str, Any] = columns(LogEvent, piece)
        transaction.execute("insert_events", **(given | {"run_id": str(run_id)}))
    return kept, len(stored)


def _common(stored: Sequence[str], wanted: Sequence[str]) -> int:
    """Return how many events at the beginning are the same."""
    pairs = zip(stored, wanted, strict=False)
    differing = (index for index, (old, new) in enumerate(pairs) if old != new)
    return next(differing, min(len(stored), len(wanted)))

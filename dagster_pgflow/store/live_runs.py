"""Live workers, and the runs that they have: who is there, who has what, and who has gone silent.

A worker is there as long as it says so. The clock that counts is that of the database, for all.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from dagster_pgflow.store.database import Database, Transaction

CHANNEL: Final = "pgflow_live"
"""What live workers listen on: a run that is offered, or `end` and a run that shall end."""

THERE_FOR_S: Final = 15.0
"""A worker that has said nothing for longer is not counted on."""

SILENT_FOR_S: Final = 30.0
"""A run whose process has said nothing for longer has none any more."""

MOST_TRIES: Final = 3
"""How often a run is given to a worker whose process ends before the run begins."""


@dataclass(frozen=True)
class LiveWorker:
    """A live worker, as it presents itself.

    Attributes:
        worker_id: Its id.
        code_location: The code location that it executes runs of, by Dagster's name.
        host: The machine.
        process_id: Its process there.
        concurrency: How many runs it executes at the same time.
        version: The version of this package.
    """

    worker_id: UUID
    code_location: str
    host: str
    process_id: int
    concurrency: int
    version: str


@dataclass(frozen=True)
class SeenWorker(LiveWorker):
    """A live worker, as the store knows it.

    Attributes:
        started_at: Since when it is there.
        seen_at: When it last said so.
    """

    started_at: datetime
    seen_at: datetime


class LiveRuns:
    """The live workers of a store, and their runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enter(self, worker: LiveWorker) -> None:
        """Say that a worker is there; it counts for `THERE_FOR_S` seconds."""
        self._database.execute("enter_live_worker", **_plain(asdict(worker)))

    def leave(self, worker_id: UUID) -> None:
        """Say that a worker has ended."""
        self._database.execute("leave_live_worker", worker_id=str(worker_id))

    def workers(self) -> tuple[SeenWorker, ...]:
        """Return the workers that are there."""
        rows = self._database.fetch_all("fetch_live_workers", within=THERE_FOR_S)
        return tuple(SeenWorker(**row) for row in rows)

    def waiting(self) -> int:
        """Return how many requests wait to be started."""
        return int(self._database.fetch_value("count_waiting_requests"))

    def hold(
        self, transaction: Transaction, dagster_run_id: UUID, code_location: str, worker_id: UUID
    ) -> None:
        """Note that a worker has a run."""
        transaction.execute(
            "hold_live_run",
            dagster_run_id=str(dagster_run_id),
            code_location=code_location,
            worker_id=str(worker_id),
        )

    def take(self, code_location: str, worker_id: UUID) -> UUID | None:
        """Take the run that waits longest for a worker of a code location, if any does."""
        taken: UUID | None = self._database.run(
            lambda transaction: transaction.fetch_value(
                "take_live_run", code_location=code_location, worker_id=str(worker_id)
            ),
            is_repeatable=False,
        )
        return taken

    def see(self, dagster_run_id: UUID, worker_id: UUID) -> bool | None:
        """Say that a run is at work.

        Returns:
            Whether somebody asked for its end; `None` when the worker has it no more.
        """
        shall_end: bool | None = self._database.fetch_value(
            "see_live_run", dagster_run_id=str(dagster_run_id), worker_id=str(worker_id)
        )
        return shall_end

    def release(self, dagster_run_id: UUID) -> None:
        """Note that a run has ended."""
        self._database.execute("release_live_run", dagster_run_id=str(dagster_run_id))

    def give_back(self, dagster_run_id: UUID) -> bool:
        """Let another worker take a run that has not begun; return whether one may."""
        may = self._database.fetch_value(
            "return_live_run", dagster_run_id=str(dagster_run_id), most_tries=MOST_TRIES
        )
        return bool(may)

    def lost(self, code_location: str, worker_id: UUID) -> tuple[UUID, ...]:
        """Return the runs whose process is silent for too long: they are this worker's now."""
        rows = self._database.fetch_all(
            "find_lost_live_runs",
            code_location=code_location,
            worker_id=str(worker_id),
            silent_for=SILENT_FOR_S,
        )
        return tuple(row["dagster_run_id"] for row in rows)

    def offer(self, dagster_run_id: UUID, code_location: str) -> None:
        """Ask the live workers of a code location to take a run."""
        self._database.execute(
            "offer_live_run", dagster_run_id=str(dagster_run_id), code_location=code_location
        )

    def room(self, code_location: str) -> int | None:
        """Return how many runs more the live workers of a code location could have.

        Returns:
            0 or less when all are busy; `None` when there is no worker.
        """
        room = self._database.fetch_value(
            "fetch_live_room",
            code_location=code_location,
            within=THERE_FOR_S,
            silent_for=SILENT_FOR_S,
        )
        return None if room is None else int(room)

    def is_taken(self, dagster_run_id: UUID) -> bool | None:
        """Return whether a worker has a run, or it waits for one.

        Returns:
            `None` when it is over, or was never offered.
        """
        taken: bool | None = self._database.fetch_value(
            "is_live_run_taken", dagster_run_id=str(dagster_run_id)
        )
        return taken

    def withdraw(self, dagster_run_id: UUID) -> bool:
        """Take back a run that no worker has taken; return whether that was so."""
        withdrawn = self._database.fetch_value(
            "withdraw_live_run", dagster_run_id=str(dagster_run_id)
        )
        return bool(withdrawn)

    def ask_to_end(self, dagster_run_id: UUID) -> bool:
        """Ask for the end of a run; return whether a live worker has it, or shall take it."""
        asked = self._database.fetch_value(
            "ask_live_run_to_end", dagster_run_id=str(dagster_run_id)
        )
        return bool(asked)

    def silence(self, dagster_run_id: UUID) -> float | None:
        """Return for how many seconds the process of a run has said nothing.

        Returns:
            `None` when no live worker has it.
        """
        seconds = self._database.fetch_value(
            "fetch_live_run_silence", dagster_run_id=str(dagster_run_id)
        )
        return None if seconds is None else float(seconds)


def _plain(fields: dict[str, object]) -> dict[str, object]:
    return {
        name: str(value) if isinstance(value, UUID) else value for name, value in fields.items()
    }

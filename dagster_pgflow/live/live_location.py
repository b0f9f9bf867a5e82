"""One code location of a live worker: its processes, its store, its place among the workers."""

import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final, assert_never
from uuid import UUID

from dagster_pgflow.errors import PgflowError
from dagster_pgflow.live.changed_files import ChangedFiles
from dagster_pgflow.live.generation import Generation, WantedLocation
from dagster_pgflow.live.messages import (
    Began,
    Born,
    Claiming,
    Died,
    Ended,
    Imported,
    Ready,
    Report,
    Said,
    Trouble,
    Unusable,
)
from dagster_pgflow.live.telling import LogLine, RepeatedLine, tell
from dagster_pgflow.settings import configured_url, database_url
from dagster_pgflow.store.continuations import Continuations
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.listener import Listener
from dagster_pgflow.store.live_runs import CHANNEL, THERE_FOR_S, LiveRuns, LiveWorker
from dagster_pgflow.version import __version__

POLL_S: Final = 2.0
"""How often it looks for what it was not told: a notification may be lost."""

BEAT_S: Final = 4.0
REQUESTS: Final = "pgflow_runs"
LOOK_NOW: Final = signal.SIGUSR1
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0


class LiveLocation:
    """One code location: its processes, its store, and its place among the live workers.

    Args:
        wanted: What it shall serve.
        observe: Is told all that its processes say.
        changed_files: Knows which of its files have changed; `None` where nobody wants to know.
    """

    def __init__(
        self,
        wanted: WantedLocation,
        observe: Callable[["LiveLocation", Report], None],
        changed_files: ChangedFiles | None = None,
    ) -> None:
        self.wanted = wanted
        self.name = wanted.target.shown(wanted.index)
        self.waiting = 0
        self.beaten_at: float | None = None
        self.has_flows = True
        self._database: Database | None = None
        self._database_url: str | None = None
        self._observe = observe
        self._changed_files = changed_files
        self._listener: Listener | None = None
        self._current: Generation | None = None
        self._next: Generation | None = Generation(wanted)
        self._before: list[Generation] = []
        self._start_again_at: float | None = None
        self._pause_s = FIRST_PAUSE_S
        self._polled_at = self._entered_at = 0.0
        self._due_at: float | None = None
        self._shall_try_again = False
        self._trouble = RepeatedLine()
        self._is_ending = self._shall_reload = False

    @property
    def is_served(self) -> bool:
        """Whether a code location that was imported takes runs."""
        return self._current is not None

    @property
    def busy(self) -> int:
        """How many runs are under way."""
        return sum(len(one.under_way) for one in self._generations())

    @property
    def alive(self) -> int:
        """How many processes there are, the templates not counted."""
        return sum(len(one.alive) for one in self._generations())

    @property
    def beat_age_s(self) -> float | None:
        """How many seconds ago its store took the last heartbeat."""
        return None if self.beaten_at is None else time.monotonic() - self.beaten_at

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._is_ending and not any(one.is_heard for one in self._generations())

    def why_not_ready(self) -> str | None:
        """Return why it starts nothing at this moment; `None` when it does."""
        if not self.has_flows:
            return None
        if self._is_ending:
            return f"{self.name} ends."
        if self._current is None:
            return f"{self.name} is not served: its import is under way, or has failed."
        age = self.beat_age_s
        if age is None or age > THERE_FOR_S:
            return f"{self.name}: its store does not answer."
        if self._listener is None or not self._listener.is_open:
            return f"{self.name} hears nothing of its store."
        return None

    def listened(self) -> list[Any]:
        """Return what to wait for."""
        found: list[Any] = [one for one in self._generations() if one.is_heard]
        if self._listener is not None and self._listener.is_open:
            found.append(self._listener)
        return found

    def _generations(self) -> Iterator[Generation]:
        yield from self._before
        for one in (self._current, self._next):
            if one is not None:
                yield one

    def turn(self) -> None:
        """Do what is due."""
        for generation in list(self._generations()):
            for report in generation.reports():
                self._heard(generation, report)
            self._replace_if_gone(generation)
        self._before = [one for one in self._before if one.is_heard]
        if self._is_ending:
            return
        self._import_if_due()
        if self._current is None:
            return
        try:
            self._listen()
            if time.monotonic() - self._polled_at >= POLL_S:
                self._polled_at = time.monotonic()
                self._poll()
            if self._due_at is not None and time.monotonic() >= self._due_at:
                # What a run waits for has its time: it goes on, or its deadline is over.
                self._due_at = None
                self._current.wake(self.wanted.concurrency)
        except PgflowError as error:
            self._note_trouble(error)

    def reload(self) -> None:
        """Import the code location anew; what serves now goes on until that is done."""
        self._shall_reload = True

    def finish(self) -> None:
        """Take nothing any more; runs that are under way go on to their end."""
        self._is_ending = True
        for generation in self._generations():
            generation.finish()
        if self._listener is not None:
            self._listener.close()
        if self._database is not None:
            with suppress(PgflowError):
                LiveRuns(self._database).leave(self._worker().worker_id)

    def end(self) -> None:
        """Interrupt what is under way."""
        for generation in self._generations():
            generation.end()

    def kill(self) -> None:
        """End what is left, whatever it does."""
        for generation in self._generations():
            generation.kill()

    def close(self) -> None:
        """Wait for the last process, and close the store."""
        for generation in self._generations():
            generation.wait()
        if self._database is not None:
            self._database.close()

    def _heard(self, generation: Generation, report: Report) -> None:
        self._observe(self, report)
        match report:
            case Ready() if not report.has_flows:
                self.name, self.has_flows = report.code_location, False
                self._is_ending = True
            case Ready():
                self._take_over(generation, report)
            case Ended() | Died():
                generation.wake()
            case Imported() | Unusable():
                if self._changed_files is not None:
                    self._changed_files.watch(generation.files)
            case Born() | Claiming() | Began() | Trouble() | Said():
                pass
            case _:
                assert_never(report)

    def _take_over(self, generation: Generation, ready: Ready) -> None:
        """Let a generation that is ready serve in place of the one before."""
        self.name = ready.code_location
        self._pause_s = FIRST_PAUSE_S
        self._open_store(ready.database_url or configured_url() or database_url())
        if self._current is not None:
            self._current.finish()
            self._before.append(self._current)
        self._current, self._next = generation, None
        self._shall_try_again = True
        self._polled_at = self._entered_at = 0.0

    def _open_store(self, url: str) -> None:
        """Have the store open that the code location names; another import may name another."""
        if url == self._database_url:
            return
        if self._listener is not None:
            self._listener.close()
        if self._database is not None:
            self._database.close()
        self._database, self._database_url = Database(url), url
        self._listener = Listener(self._database.address, REQUESTS, CHANNEL)

    def _import_if_due(self) -> None:
        """Start a template: one that is to replace a dead one, or one that imports changed code."""
        if self._changed_files is not None and self._changed_files.has_changed():
            tell(LogLine(logging.INFO, "code_changed", "its code has changed"), self.name)
            self._shall_reload = True
        if self._next is not None:
            return
        is_time = self._start_again_at is not None and time.monotonic() >= self._start_again_at
        if self._shall_reload or is_time:
            self._shall_reload, self._start_again_at = False, None
            self._next = Generation(self.wanted)

    def _replace_if_gone(self, generation: Generation) -> None:
        """Start a template again that has died; its children end with the runs that they have."""
        if self._is_ending or generation.template_lives or generation in self._before:
            return
        if generation is self._next:
            self._next = None
            is_needed = self._current is None
        else:
            self._current = None
            generation.finish()
            self._before.append(generation)
            is_needed = self._next is None
            text = "the template has died; another one is started"
            tell(LogLine(logging.WARNING, "template_died", text), self.name)
        if is_needed:
            self._start_again_at = time.monotonic() + self._pause_s
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)

    def _listen(self) -> None:
        """Pass on what was told, and listen again where that was cut off."""
        if self._listener is None or self._current is None:
            return
        if not self._listener.is_open:
            if time.monotonic() - self._polled_at < POLL_S:
                return
            self._listener.open()
            self._polled_at = 0.0
        for channel, payload in self._listener.heard():
            if channel == CHANNEL and payload.startswith("end "):
                self._end_run(payload.removeprefix("end "))
            else:
                self._current.wake()

    def _end_run(self, dagster_run_id: str) -> None:
        """Have the process of a run look whether it shall end, if it is one of ours."""
        for generation in self._generations():
            process_id = generation.process_of(dagster_run_id)
            if process_id is not None:
                with suppress(ProcessLookupError):
                    os.kill(process_id, LOOK_NOW)

    def _poll(self) -> None:
        """Say that the worker is there, and see to what nobody told."""
        if self._database is None or self._current is None:
            return
        live_runs, worker = LiveRuns(self._database), self._worker()
        if time.monotonic() - self._entered_at >= BEAT_S:
            live_runs.enter(worker)
            self._entered_at = self.beaten_at = time.monotonic()
            for lost in live_runs.lost(self.name, worker.worker_id):
                self._current.bury(str(lost), "The process that executed the run is gone.")
        self.waiting = live_runs.waiting()
        continuations = Continuations(self._database)
        if self._shall_try_again:
            # What could not go on may do so with what has been imported.
            continuations.try_again()
            self._shall_try_again = False
        due_in_s = continuations.seconds_until_due()
        self._due_at = None if due_in_s is None else time.monotonic() + due_in_s
        self._current.wake(min(self.wanted.concurrency, max(1, self.waiting)))
        if self._trouble.went_well():
            tell(LogLine(logging.INFO, "store_answers", "its store answers again"), self.name)

    def _note_trouble(self, error: PgflowError) -> None:
        self._polled_at = time.monotonic()
        if self._listener is not None:
            self._listener.close()
        if self._trouble.is_new(str(error)):
            text = f"{error} It is tried again every {POLL_S:g} seconds."
            tell(LogLine(logging.ERROR, "store_away", text), self.name)

    def _worker(self) -> LiveWorker:
        return LiveWorker(
            worker_id=UUID(self.wanted.worker_id),
            code_location=self.name,
            host=socket.gethostname(),
            process_id=os.getpid(),
            concurrency=self.wanted.concurrency,
            version=__version__,
        )

"""One template with its children: a code location as it was imported at one moment."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, assert_never

from dagster_pgflow.live.channel import Channel
from dagster_pgflow.live.messages import (
    Began,
    Born,
    Bury,
    Claiming,
    Died,
    Ended,
    Hot,
    Imported,
    Leave,
    Message,
    Ready,
    Report,
    Said,
    StrangeMessage,
    Trouble,
    Unusable,
    Wake,
)
from dagster_pgflow.live.orders import LocationTarget, Orders

STANDARD_ERROR: Final = 2

MOST_DEATHS: Final = 2
"""How many processes may die of claiming something before it is left to others, or for later."""

MOST_AT_ONCE: Final = 200
"""How many reports are read before something else has its turn."""


@dataclass(frozen=True)
class WantedLocation:
    """What a generation shall serve.

    Attributes:
        target: The code locations.
        index: Which of them.
        concurrency: How many runs at the same time.
        worker_id: The live worker.
    """

    target: LocationTarget
    index: int
    concurrency: int
    worker_id: str


@dataclass(frozen=True)
class UnderWay:
    """A run that a child has.

    Attributes:
        began: What the child said of it.
        since: When, on this process's clock.
    """

    began: Began
    since: float


class Generation:
    """The processes, seen from the supervisor.

    A new one is started when the code has changed, and takes over once it is ready; then the one
    before gets no more work and ends with its last run.
    """

    def __init__(self, wanted: WantedLocation) -> None:
        self.ready: Ready | None = None
        self.under_way: dict[int, UnderWay] = {}
        self.alive: set[int] = set()
        self.files: set[str] = set()
        self._claiming: dict[int, tuple[str, int]] = {}
        self._deaths: Counter[tuple[str, int]] = Counter()
        self._work, work = Channel.pair()
        self._told, told = Channel.pair()
        self._control, control = Channel.pair()
        self._reports, report = Channel.pair()
        theirs = (work, told, control, report)
        orders = Orders(
            wanted.target,
            wanted.index,
            wanted.concurrency,
            wanted.worker_id,
            work=work.fileno(),
            told=told.fileno(),
            control=control.fileno(),
            report=report.fileno(),
        )
        command = [sys.executable, "-m", "dagster_pgflow.live.template", orders.as_argument()]
        self._process = subprocess.Popen(
            command,
            pass_fds=[channel.fileno() for channel in theirs],
            stdin=subprocess.DEVNULL,
            # What user code prints outside of its runs; standard output has the log, and no more.
            stdout=STANDARD_ERROR,
            # Ctrl-C is for the supervisor, which lets runs end.
            start_new_session=True,
        )
        for channel in theirs:
            channel.close()
        self._is_heard = True
        self._takes_work = True

    def fileno(self) -> int:
        """Return what becomes readable when a process says something, or the last has ended."""
        return self._reports.fileno()

    @property
    def is_heard(self) -> bool:
        """Whether a process of it lives."""
        return self._is_heard

    @property
    def template_lives(self) -> bool:
        """Whether the template lives."""
        return self._process.poll() is None

    def reports(self) -> Iterator[Report]:
        """Yield what the processes have said; note what is under way."""
        for _ in range(MOST_AT_ONCE):
            try:
                message = self._reports.receive_at_once()
            except BlockingIOError:
                return
            except StrangeMessage as error:
                yield _not_understood(self._process.pid, str(error))
                continue
            if message is None:
                self._is_heard = False
                self.alive.clear()
                return
            report = self._noted(message)
            yield report
            if isinstance(report, Died):
                yield from self._lost_run(report)

    def _noted(self, message: Message) -> Report:  # noqa: C901  one case for each message
        match message:
            case Ready():
                self.ready = message
            case Claiming():
                self._claiming[message.process_id] = message.run_id, message.number
            case Began():
                self._claiming.pop(message.process_id, None)
                self.under_way[message.process_id] = UnderWay(message, time.monotonic())
                self._told.send(message)
                self._control.send(Hot(message.flow_slug, message.watermark))
            case Ended():
                self.under_way.pop(message.process_id, None)
                self._told.send(message)
            case Trouble():
                self._claiming.pop(message.process_id, None)
            case Died():
                self.alive.discard(message.process_id)
                self._note_death_in_claim(self._claiming.pop(message.process_id, None))
            case Born():
                self.alive.add(message.process_id)
            case Imported():
                self.files.update(message.files)
            case Unusable() | Said():
                pass
            case Wake() | Bury() | Leave() | Hot():
                return _not_understood(self._process.pid, f"It was told {message}.")
            case _:
                assert_never(message)
        return message

    def _lost_run(self, died: Died) -> Iterator[Ended]:
        """Have others see to what a process leaves behind; yield the end of its run."""
        lost = self.under_way.pop(died.process_id, None)
        if lost is not None:
            end = _ended(lost)
            self._told.send(end)
            self._work.send(Bury(end.dagster_run_id, _how(died.exit_code)))
            yield end
        # It may have been the rows process, and the next one knows of nothing.
        for run in self.under_way.values():
            self._told.send(run.began)

    def _note_death_in_claim(self, claimed: tuple[str, int] | None) -> None:
        """Keep what kills whoever claims it from killing one child after the other."""
        if claimed is None:
            return
        self._deaths[claimed] += 1
        if self._deaths[claimed] >= MOST_DEATHS:
            self._work.send(Leave(*claimed))
            del self._deaths[claimed]

    def wake(self, times: int = 1) -> None:
        """Wake children that are idle."""
        for _ in range(times):
            if not self._takes_work or not self._work.send(Wake()):
                return

    def bury(self, dagster_run_id: str, reason: str) -> bool:
        """Have a child see to a run whose process is gone; return whether one will."""
        return self._takes_work and self._work.send(Bury(dagster_run_id, reason))

    def process_of(self, dagster_run_id: str) -> int | None:
        """Return the child that executes a run."""
        return next(
            (
                process_id
                for process_id, run in self.under_way.items()
                if run.began.dagster_run_id == dagster_run_id
            ),
            None,
        )

    def finish(self) -> None:
        """Send nothing any more: each child ends with the run that it has."""
        if self._takes_work:
            self._takes_work = False
            for channel in (self._work, self._told, self._control):
                channel.close()

    def end(self) -> None:
        """Interrupt the runs that are under way: each fails, and its rows are written."""
        self.finish()
        if self.template_lives:
            self._process.terminate()

    def kill(self) -> None:
        """End all that is left, whatever it does, with the processes that handlers have started."""
        self.finish()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def wait(self) -> None:
        """Wait for the end of the template."""
        self._process.wait()


def _ended(lost: UnderWay) -> Ended:
    """Return the end of a run whose process is gone."""
    began, seconds = lost.began, time.monotonic() - lost.since
    return Ended(
        began.process_id, began.dagster_run_id, began.run_id, began.flow_slug, "died", seconds
    )


def with_index(wanted: WantedLocation, index: int) -> WantedLocation:
    """Return what is wanted of another code location of the same workspace."""
    return replace(wanted, index=index)


def _how(exit_code: int) -> str:
    if exit_code < 0:
        return f"The process that executed the run was ended by signal {-exit_code}."
    return f"The process that executed the run ended by itself, with exit code {exit_code}."


def _not_understood(process_id: int, what: str) -> Trouble:
    reason = f"{what} Is it another version of dagster_pgflow that serves the code location?"
    return Trouble(process_id, reason)

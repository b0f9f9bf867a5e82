"""The supervisor: listens to PostgreSQL, wakes children, and starts again what dies.

It imports no Dagster, so it is small, starts at once, and outlives whatever user code does.
"""

import logging
import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from dagster_pgflow.live.changed_files import ChangedFiles
from dagster_pgflow.live.generation import WantedLocation, with_index
from dagster_pgflow.live.live_location import LiveLocation
from dagster_pgflow.live.messages import Began, Ended, Ready, Report, Said, Trouble
from dagster_pgflow.live.orders import LocationTarget
from dagster_pgflow.live.telling import LogLine, RepeatedLine, is_ours, line_of, tell

TURN_S: Final = 0.5
INTERRUPTED_FOR_S: Final = 10.0
"""How long runs may take to end that are interrupted, before their processes are killed."""

IDLE_FOR_S: Final = 5.0
"""How long processes without a run may take to end: they may wait for a store that is away."""


@dataclass(frozen=True)
class WorkerSettings:
    """How a live worker serves.

    Attributes:
        concurrency: How many runs of each code location are executed at the same time.
        grace_s: How long runs under way may go on once it is told to end.
        reloads: Whether it imports code anew that has changed.
    """

    concurrency: int
    grace_s: float
    reloads: bool = False


class Supervisor:
    """Serves the code locations that a command line names, until it is told to end.

    Args:
        target: The code locations.
        settings: How it serves.
        locations: Where the code locations are put that it serves, for whoever wants to look.
        observe: Is told all that processes of a code location say.
    """

    def __init__(
        self,
        target: LocationTarget,
        settings: WorkerSettings,
        locations: list[LiveLocation],
        observe: Callable[[LiveLocation, Report], None],
    ) -> None:
        self._settings = settings
        self._observer = observe
        self._asked_to_end = self._ends_begun = 0
        self._shall_reload = False
        self._next_end_at: float | None = None
        self._troubles: dict[str, RepeatedLine] = {}
        self._heard, told = os.pipe()
        os.set_blocking(self._heard, False)
        os.set_blocking(told, False)
        signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note_end)
        signal.signal(signal.SIGHUP, self._note_reload)
        self.locations = locations
        self._serve(WantedLocation(target, 0, settings.concurrency, str(uuid4())))

    def run(self) -> bool:
        """Serve; return whether there was something to serve."""
        while not all(one.is_over for one in self.locations):
            self._wait()
            self._end_if_due()
            if self._shall_reload:
                self._shall_reload = False
                for location in self.locations:
                    location.reload()
            for location in list(self.locations):
                location.turn()
        for location in self.locations:
            location.close()
        return any(one.has_flows for one in self.locations)

    def _serve(self, wanted: WantedLocation) -> None:
        changed_files = ChangedFiles() if self._settings.reloads else None
        self.locations.append(LiveLocation(wanted, self._observe, changed_files))

    def _wait(self) -> None:
        listened: list[Any] = [self._heard]
        for location in self.locations:
            listened += location.listened()
        if self._heard in select.select(listened, [], [], TURN_S)[0]:
            with suppress(BlockingIOError):
                while os.read(self._heard, 4096):
                    pass

    def _end_if_due(self) -> None:
        """Go the next step towards the end: when somebody asks, or the time for the last is up.

        First runs go on to their end, then they are interrupted, then their processes are killed.
        """
        is_time = self._next_end_at is not None and time.monotonic() > self._next_end_at
        if not is_time and self._asked_to_end <= self._ends_begun:
            return
        self._ends_begun = max(self._ends_begun + 1, min(self._asked_to_end, 3))
        self._next_end_at = time.monotonic() + INTERRUPTED_FOR_S
        busy = sum(one.busy for one in self.locations)
        match self._ends_begun:
            case 1:
                grace_s = (
                    self._settings.grace_s if busy else min(IDLE_FOR_S, self._settings.grace_s)
                )
                self._next_end_at = time.monotonic() + grace_s
                self._tell_end(
                    logging.INFO,
                    f"Ending: {busy} runs are under way, and may take {grace_s:g} s more; the next"
                    " SIGTERM or Ctrl-C interrupts them.",
                )
                step = LiveLocation.finish
            case 2 if busy:
                self._tell_end(logging.WARNING, f"Interrupting {busy} runs that are under way.")
                step = LiveLocation.end
            case _:
                self._tell_end(logging.WARNING, f"Killing what is left, {busy} runs among it.")
                step = LiveLocation.kill
        for location in self.locations:
            step(location)

    def _tell_end(self, level: int, text: str) -> None:
        tell(LogLine(level, "ending", text))

    def _note_end(self, _number: int, _frame: Any) -> None:
        self._asked_to_end += 1

    def _note_reload(self, _number: int, _frame: Any) -> None:
        self._shall_reload = True

    def _observe(self, location: LiveLocation, report: Report) -> None:
        self._follow_workspace(location, report)
        name = report.code_location if isinstance(report, Ready) else location.name
        line = line_of(report, serves=location.is_served)
        if line is not None and self._is_news(name, report):
            tell(line, name)
        self._observer(location, report)

    def _is_news(self, name: str, report: Report) -> bool:
        """Whether nobody has read it yet: trouble that all processes have is told by one."""
        troubles = self._troubles.setdefault(name, RepeatedLine())
        match report:
            case Trouble():
                return troubles.is_new(report.reason)
            case Said() if is_ours(report):
                return troubles.is_new(report.text)
            case Began() | Ended():
                troubles.went_well()
            case _:
                pass
        return True

    def _follow_workspace(self, location: LiveLocation, report: Report) -> None:
        """Serve the other code locations of the workspace, which the first one knows of."""
        if location is self.locations[0] and isinstance(report, Ready):
            for index in range(len(self.locations), report.locations):
                self._serve(with_index(location.wanted, index))

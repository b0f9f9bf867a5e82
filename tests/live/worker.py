"""A live worker as a user starts it: the command, in a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.polling import poll

END_S = 300
LOCATION = Path(__file__).parent / "location.py"


@dataclass
class Worker:
    """The running command.

    Attributes:
        process: It.
        log: What it says.
    """

    process: "subprocess.Popen[bytes]"
    log: Path

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_until_said(self, text: str, times: int = 1) -> None:
        poll(lambda: self.said().count(text) >= times or self.process.poll() is not None)
        assert self.said().count(text) >= times, self.said()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ends it and returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.exit_code()

    def exit_code(self) -> int:
        """Returns its exit code, once it has ended."""
        return self.process.wait(END_S)


@contextmanager
def live_worker(
    folder: Path, environment: Mapping[str, str], *words: str, location: Path = LOCATION
) -> Iterator[Worker]:
    """Starts a live worker, and ends it with all that it started."""
    log = folder / f"live-{len(list(folder.glob('live-*')))}.log"
    command = [str(Path(sys.executable).with_name("dagster-pgflow")), "live", "-f", str(location)]
    # Standard error has what code of users prints outside of its runs.
    with log.open("wb") as output, log.with_suffix(".err").open("wb") as errors:
        process = subprocess.Popen(
            [*command, *words],
            env={**os.environ, **environment},
            stdout=output,
            stderr=errors,
        )
    worker = Worker(process, log)
    try:
        worker.wait_until_said("is served")
        yield worker
    finally:
        worker.end()

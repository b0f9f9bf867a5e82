"""Processes that need not import Dagster first: each is a fork of one that did, and does no more.

To import takes two seconds of work, and the tests of runs in processes of their own start a
hundred. What such a process is otherwise, `python -m` would give as well: a memory of its own, its
own environment, signals and end.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.polling import PATIENCE_S

ROOT: Final = Path(__file__).parents[1]
IMPORTED: Final = [
    "dagster._cli",
    "dagster._core.execution.api",
    "dagster_pgflow.load_defs",
    "dagster_postgres",
    "tests.execution.interrupted",
]


class WarmProcess:
    """A process that was forked; it is like `subprocess.Popen`.

    Attributes:
        pid: Its number.
    """

    def __init__(self, forker: "Forker", pid: int) -> None:
        self._forker = forker
        self.pid = pid

    def wait(self, timeout: float = PATIENCE_S) -> int:
        """Waits for its end, and returns its exit code, which is negative after a signal."""
        return self._forker.exit_code_of(self.pid, timeout)

    def poll(self) -> int | None:
        """Returns its exit code, if it has ended."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Forker:
    """The process that has imported everything, as the tests see it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._exit_codes: dict[int, int] = {}
        self._waits_for_answers = select.poll()
        self._waits_for_answers.register(self._answers, select.POLLIN)

    @property
    def _answers(self) -> Any:
        return self._process.stdout

    def fork(
        self, module: str, *arguments: str, environment: Mapping[str, str], folder: Path = ROOT
    ) -> WarmProcess:
        """Starts what `python -m module` starts, in a folder."""
        request = {
            "module": module,
            "arguments": arguments,
            "environment": dict(environment),
            "folder": str(folder),
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        while True:
            answer = self._answer()
            if "forked" in answer:
                pid = answer["forked"]
                # Another had the same number before.
                self._exit_codes.pop(pid, None)
                return WarmProcess(self, pid)

    def exit_code_of(self, pid: int, timeout: float) -> int:
        while pid not in self._exit_codes:
            if not self._waits_for_answers.poll(timeout * 1000):
                raise subprocess.TimeoutExpired(f"process {pid}", timeout)
            self._answer()
        return self._exit_codes[pid]

    def end(self) -> None:
        self._process.communicate()

    def _answer(self) -> dict[str, int]:
        answer: dict[str, int] = json.loads(self._answers.readline())
        if "ended" in answer:
            self._exit_codes[answer["ended"]] = answer["exit_code"]
        return answer


@cache
def forker() -> Forker:
    """The one of this session, which is started when it is first needed."""
    found = Forker()
    atexit.register(found.end)
    return found


def serve() -> dict[str, Any]:
    """Forks when it is asked to; returns in each process that it has forked, with its request."""
    for module in IMPORTED:
        importlib.import_module(module)
    gc.freeze()
    ends, noted = os.pipe()
    for end in (ends, noted):
        os.set_blocking(end, False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(noted)
    while True:
        ready, _, _ = select.select([sys.stdin, ends], [], [])
        if ends in ready:
            os.read(ends, 4096)
            tell_who_ended()
        if sys.stdin in ready:
            line = sys.stdin.readline()
            if not line:
                sys.exit()
            pid = os.fork()
            if not pid:
                signal.set_wakeup_fd(-1)
                os.close(ends)
                os.close(noted)
                return dict(json.loads(line))
            tell(forked=pid)


def tell_who_ended() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        tell(ended=pid, exit_code=os.waitstatus_to_exitcode(status))


def tell(**answer: int) -> None:
    print(json.dumps(answer), flush=True)


def become(request: Mapping[str, Any]) -> None:
    """Is from now on what the request says."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silence, stream)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.argv[1:] = request["arguments"]
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    become(serve())

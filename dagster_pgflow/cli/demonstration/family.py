"""A process of the demo with all that it starts: ended together."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from dagster_pgflow.cli.demonstration.signals import be_deaf

STOP_S = 20.0
POLL_S = 0.2


@contextmanager
def running_family(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a process, and end it and every process that comes from it afterwards.

    Args:
        command: The command line.
        folder: Its working directory.
        environment: All of its environment.
        log: Where everything goes that it says.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C is for us: we end the group in order, after our own work.
            start_new_session=True,
        )
        try:
            yield process
        finally:
            be_deaf()
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a process, its descendants and its group: politely, then not."""
    family = _family(process.pid)
    _signal(process.pid, signal.SIGINT)
    deadline = time.monotonic() + STOP_S
    while (left := _alive(family | _family(process.pid))) and time.monotonic() < deadline:
        process.poll()
        time.sleep(POLL_S)
    for member in left:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()
    # The others are no children of ours, and one that is killed is still there for a moment.
    psutil.wait_procs(left, timeout=STOP_S)


def _family(leader: int) -> set[psutil.Process]:
    """Return all processes that descend from the leader, or are in its group."""
    found: set[psutil.Process] = set()
    with suppress(psutil.NoSuchProcess):
        found.update(psutil.Process(leader).children(recursive=True), [psutil.Process(leader)])
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == leader:
                found.add(process)
        except (ProcessLookupError, PermissionError):
            continue
    return found


def _alive(family: set[psutil.Process]) -> list[psutil.Process]:
    alive: list[psutil.Process] = []
    for process in family:
        try:
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                alive.append(process)
        except psutil.NoSuchProcess:
            continue
    return alive


def _signal(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return

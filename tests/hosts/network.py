"""Hosts that share nothing but a network and a folder, as network namespaces of Linux.

The host in the middle has the services, the others reach it through a bridge that lies in it. So
nothing of all this is in the network of the machine, and several tests may do it at once.
"""

import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from tests.polling import poll

_BRIDGE = "hosts"
_CALLED = 'echo "$0" > /proc/sys/kernel/hostname && exec "$@"'
"""What a shell does in a namespace of names before it becomes the program of a host."""


def why_there_are_no_hosts() -> str | None:
    """Returns why this machine cannot have them; `None` where it can."""
    if shutil.which("ip") is None or shutil.which("unshare") is None:
        return "the programs ip (iproute2) and unshare (util-linux) are not installed"
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    tried = subprocess.run(
        ["unshare", "--net", "--uts", "ip", "link", "add", "tried", "type", "bridge"],
        capture_output=True,
        text=True,
    )
    return None if tried.returncode == 0 else f"no network namespace here: {tried.stderr.strip()}"


class Host:
    """One host.

    Attributes:
        name: What it is called, also for the programs on it.
        address: Where the others reach it.
    """

    def __init__(self, name: str, address: str, hub: "Host | None" = None) -> None:
        self.name = name
        self.address = address
        self._hub = hub or self
        self._namespace = f"{name}-{uuid.uuid4().hex[:8]}"
        self._programs: list[subprocess.Popen[bytes]] = []
        _ip("netns", "add", self._namespace)
        self.ip("link", "set", "lo", "up")

    def ip(self, *words: str) -> None:
        """Calls the program `ip` on this host."""
        _ip("-n", self._namespace, *words)

    def start(
        self, words: Sequence[str], environment: Mapping[str, str], log: IO[str]
    ) -> "subprocess.Popen[bytes]":
        """Starts a program."""
        entered = ["ip", "netns", "exec", self._namespace, "unshare", "--uts"]
        program = subprocess.Popen(
            [*entered, "sh", "-c", _CALLED, self.name, *words],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._programs.append(program)
        return program

    def processes(self) -> list[int]:
        """Returns what runs on it."""
        found = _ip("netns", "pids", self._namespace).split()
        return [int(pid) for pid in found]

    def kill(self) -> None:
        """Ends all that runs on it, as a loss of power does."""

        def nobody_is_left() -> bool:
            left = self.processes()
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return not left

        poll(nobody_is_left)
        for program in self._programs:
            program.wait()

    def cut(self) -> None:
        """Pulls the plug of its network: nobody is told."""
        self._hub.ip("link", "set", self.name, "down")

    def mend(self) -> None:
        """Puts the plug back."""
        self._hub.ip("link", "set", self.name, "up")

    def remove(self) -> None:
        """Ends it."""
        self.kill()
        _ip("netns", "delete", self._namespace)

    def _connect(self) -> None:
        hub, there = self._hub, self._namespace
        hub.ip("link", "add", self.name, "type", "veth", "peer", "name", "net", "netns", there)
        hub.ip("link", "set", self.name, "master", _BRIDGE, "up")
        self.ip("address", "add", f"{self.address}/24", "dev", "net")
        self.ip("link", "set", "net", "up")


@contextmanager
def hosts(*names: str) -> Iterator[list[Host]]:
    """Yields a host with services, and those that are named; they end with the block."""
    made: list[Host] = []
    try:
        hub = Host("services", "10.0.7.1")
        made.append(hub)
        hub.ip("link", "add", _BRIDGE, "type", "bridge")
        hub.ip("address", "add", f"{hub.address}/24", "dev", _BRIDGE)
        hub.ip("link", "set", _BRIDGE, "up")
        for number, name in enumerate(names, start=11):
            made.append(Host(name, f"10.0.7.{number}", hub))
            made[-1]._connect()
        yield made
    finally:
        for host in reversed(made):
            host.remove()


def log_of(folder: Path, name: str) -> IO[str]:
    """Opens the log of a program."""
    return (folder / f"{name}.log").open("a")


def _ip(*words: str) -> str:
    called = subprocess.run(["ip", *words], capture_output=True, text=True)
    assert called.returncode == 0, f"ip {' '.join(words)}: {called.stderr}"
    return called.stdout

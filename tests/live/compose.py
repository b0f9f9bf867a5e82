"""What a compose file says, as processes of this machine: as far as one gets without containers."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

END_S = 120


@dataclass(frozen=True)
class Composed:
    """A compose file, with the places and ports that it has on this machine.

    Attributes:
        services: The services, by name.
        environment: What takes the place of what the file says.
        logs: Where each service writes.
    """

    services: Mapping[str, Any]
    environment: Mapping[str, str]
    folder: Path

    @classmethod
    def of(
        cls, text: str, places: Mapping[str, str], environment: Mapping[str, str], folder: Path
    ) -> "Composed":
        """Reads a compose file.

        Args:
            text: It.
            places: What stands for a folder, a host or a port of it on this machine.
            environment: Variables that have another value here.
            folder: The working directory of all.
        """
        return cls(yaml.safe_load(moved(text, places))["services"], environment, folder)

    def log(self, service: str) -> str:
        return (self.folder / f"{service}.log").read_text(errors="replace")

    def run(self, service: str) -> int:
        """Runs a service that ends by itself; returns its exit code."""
        with self.running(service) as process:
            return process.wait(END_S)

    def is_healthy(self, service: str) -> bool:
        """Asks the health check of a service."""
        kind, *words = self.services[service]["healthcheck"]["test"]
        assert kind == "CMD"
        done = subprocess.run(self._command(words), env=self._environment(service))
        return done.returncode == 0

    @contextmanager
    def running(self, service: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Starts a service, and ends it as a container is ended."""
        with (self.folder / f"{service}.log").open("wb") as log:
            process = subprocess.Popen(
                self._command(self.services[service]["command"]),
                cwd=self.folder,
                env=self._environment(service),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            end(process)

    @contextmanager
    def all_running(self, *services: str) -> Iterator[Mapping[str, "subprocess.Popen[bytes]"]]:
        """Starts services side by side."""
        with ExitStack() as stack:
            yield {name: stack.enter_context(self.running(name)) for name in services}

    def _command(self, words: list[str]) -> list[str]:
        return [str(Path(sys.executable).with_name(words[0])), *words[1:]]

    def _environment(self, service: str) -> dict[str, str]:
        said = {name: str(value) for name, value in self.services[service]["environment"].items()}
        assert self.environment.keys() <= said.keys(), "the file names them too"
        return {**os.environ, **said, **self.environment, "DAGSTER_DISABLE_TELEMETRY": "1"}


def moved(text: str, places: Mapping[str, str]) -> str:
    """Returns a text with places of this machine in it."""
    for there, here in places.items():
        assert there in text, there
        text = text.replace(there, here)
    return text


def end(process: "subprocess.Popen[bytes]") -> int:
    """Ends a process with SIGTERM, and what of its group is left then; returns its exit code."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(END_S)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])

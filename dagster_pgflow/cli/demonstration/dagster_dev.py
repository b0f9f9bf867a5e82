"""`dagster dev` as a group of processes: started together, ended together."""

import importlib.util
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dagster_pgflow.cli.demonstration.family import running_family
from dagster_pgflow.errors import ConfigurationError, PgflowError

FIRST_PORT = 3000
PORTS_TRIED = 100
START_S = 180.0
POLL_S = 0.2
LINES_SHOWN = 15


class DagsterStopped(PgflowError):
    """`dagster dev` ended by itself, or never answered."""


@dataclass(frozen=True)
class WebAddress:
    """Where the web UI is."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The URL for a browser on this machine."""
        shown = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104
        return f"http://{shown}:{self.port}"

    @classmethod
    def choose(cls, host: str, port: int | None) -> "WebAddress":
        """Return a free address.

        Args:
            host: The address to listen on.
            port: The port; without it, the first free one from 3000 on.

        Raises:
            ConfigurationError: The port is taken, or all are.
        """
        wanted = range(FIRST_PORT, FIRST_PORT + PORTS_TRIED) if port is None else [port]
        for candidate in wanted:
            if _is_free(host, candidate):
                return cls(host, candidate)
        raise ConfigurationError(
            f"Something listens on port {port} of {host} already; choose another with --port."
            if port is not None
            else f"No port from {wanted[0]} to {wanted[-1]} is free on {host}; choose with --port."
        )


@dataclass
class DagsterDev:
    """The running processes.

    Attributes:
        address: Where the web UI is.
        log: The file with what they say.
    """

    address: WebAddress
    log: Path
    _process: "subprocess.Popen[bytes]"

    def wait_until_ready(self) -> None:
        """Wait until the web server answers.

        Raises:
            DagsterStopped: It ended, or took too long.
        """
        deadline = time.monotonic() + START_S
        while not _answers(f"{self.address.url}/server_info"):
            self.ensure_running()
            if time.monotonic() > deadline:
                raise DagsterStopped(f"Dagster does not answer after {START_S:g} s{self._why()}")
            time.sleep(POLL_S)

    def ensure_running(self) -> None:
        """Notice the end of Dagster.

        Raises:
            DagsterStopped: It has ended.
        """
        code = self._process.poll()
        if code is not None:
            raise DagsterStopped(f"Dagster ended by itself with exit code {code}{self._why()}")

    def _why(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        shown = "\n".join(f"  {line}" for line in lines[-LINES_SHOWN:])
        return f"; its log is {self.log}, and ends with:\n{shown}"


@contextmanager
def running_dagster_dev(
    workspace: Path, address: WebAddress, log: Path, environment: Mapping[str, str]
) -> Iterator[DagsterDev]:
    """Start `dagster dev`, and end every process of it afterwards.

    Args:
        workspace: The workspace that it loads.
        address: Where the web UI will be.
        log: Where everything goes that it says.
        environment: All of its environment.

    Raises:
        ConfigurationError: The web server is not installed.
    """
    if importlib.util.find_spec("dagster_webserver") is None:
        raise ConfigurationError(
            "Dagster's web server is not installed; run `pip install dagster-webserver`."
        )
    command = [sys.executable, "-m", "dagster", "dev", "--workspace", str(workspace)]
    command += ["--host", address.host, "--port", str(address.port)]
    with running_family(command, workspace.parent, environment, log) as process:
        yield DagsterDev(address, log, process)


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the web server does; without it a port that was just given up counts as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _answers(url: str) -> bool:
    # No proxy of the environment has a say in what is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError, OSError):
        return False

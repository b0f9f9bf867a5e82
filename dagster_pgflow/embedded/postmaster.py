"""The running server: what its lock file says, whether it answers, how to end it."""

import os
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from dagster_pgflow.embedded import locks
from dagster_pgflow.embedded.folder import SOCKET_NAME, DataFolder
from dagster_pgflow.errors import EmbeddedPostgresError

_LOCK_FILE = "postmaster.pid"
_FAST_STOP_SECONDS = 30
_ORPHAN_SECONDS = 10
_CONNECT_SECONDS = 5
_SOCKET_LOCKS = ".s.PGSQL.*.lock"


@dataclass(frozen=True)
class Postmaster:
    """What `postmaster.pid` says; the process may be long gone.

    Attributes:
        port: The one of 127.0.0.1 on which it listens, too; None where there is none.
        ready: The server said, when it last wrote the file, that it takes connections.
    """

    pid: int
    socket_folder: Path
    port: int | None
    ready: bool

    @classmethod
    def of(cls, cluster: Path) -> Self | None:
        """Reads the lock file of a cluster; None when there is none, or only its beginning."""
        try:
            lines = (cluster / _LOCK_FILE).read_text().splitlines()
            port = int(lines[3]) if lines[5].strip() else None
            return cls(int(lines[0]), Path(lines[4]), port, lines[7].strip() == "ready")
        except (FileNotFoundError, PermissionError, IndexError, ValueError):
            return None

    def answers(self) -> bool:
        """Return whether a server listens on the socket."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_CONNECT_SECONDS)
            try:
                connection.connect(os.fspath(self.socket_folder / SOCKET_NAME))
            except (BlockingIOError, TimeoutError):
                return True  # its queue is full: it is there, and busy
            except OSError:
                return False
        return True


def serving(cluster: Path) -> Postmaster | None:
    """Returns the server of a cluster if it takes connections now."""
    postmaster = Postmaster.of(cluster)
    if postmaster is not None and postmaster.ready and postmaster.answers():
        return postmaster
    return None


def clear_remnants(folder: DataFolder) -> None:
    """Removes what a server that was killed left behind and PostgreSQL would stumble over.

    After a crash of the machine the process id in the lock file may belong to another program,
    or the file may be empty: PostgreSQL then refuses to start. Call it only while holding the
    lock for starting, with no keeper alive.

    Raises:
        EmbeddedPostgresError: Processes of a server that does not answer are still there.
    """
    if not (folder.cluster / _LOCK_FILE).exists():
        return
    # After the death of a postmaster its children need a moment to notice.
    deadline = time.monotonic() + _ORPHAN_SECONDS
    while left := _server_processes(folder):
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(
                f"A PostgreSQL server of {folder.path} runs but does not answer (process "
                f"{left[0]}); end that process and try again."
            )
        time.sleep(locks.POLL_SECONDS)
    postmaster = Postmaster.of(folder.cluster)
    # A file that names a dead process is left to PostgreSQL, which checks more than we can.
    if postmaster is None or psutil.pid_exists(postmaster.pid):
        (folder.cluster / _LOCK_FILE).unlink(missing_ok=True)
        for place in {folder.cluster, postmaster.socket_folder if postmaster else folder.cluster}:
            for lock in place.glob(_SOCKET_LOCKS):
                lock.unlink(missing_ok=True)


def end_server(folder: DataFolder) -> None:
    """Ends the server of a folder, if one runs, and returns when it is gone.

    Sessions are cut off and their transactions rolled back; nothing committed is lost.

    Raises:
        EmbeddedPostgresError: It would not end.
    """
    postmaster = Postmaster.of(folder.cluster)
    if postmaster is None:
        return
    for order in (signal.SIGINT, signal.SIGQUIT):  # fast, then immediate shutdown
        if not _is_server(postmaster.pid, folder):
            return
        try:
            os.kill(postmaster.pid, order)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + _FAST_STOP_SECONDS
        while time.monotonic() < deadline:
            if not _is_server(postmaster.pid, folder):
                return
            time.sleep(locks.POLL_SECONDS)
    raise EmbeddedPostgresError(
        f"The PostgreSQL server of {folder.path} does not end (process {postmaster.pid}); see "
        f"{folder.log}."
    )


def _server_processes(folder: DataFolder) -> list[int]:
    return [process.pid for process in psutil.process_iter() if _is_server(process.pid, folder)]


def _is_server(pid: int, folder: DataFolder) -> bool:
    """Return whether a process is a PostgreSQL that works in the cluster folder."""
    try:
        process = psutil.Process(pid)
        if not process.name().startswith("postgres"):
            return False
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        # The server enters its data directory before it does anything else.
        return Path(process.cwd()).samefile(folder.cluster)
    except psutil.AccessDenied:
        return False  # runs as somebody else, so not on this cluster
    except (psutil.NoSuchProcess, FileNotFoundError):
        return False

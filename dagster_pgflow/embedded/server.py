"""The door of the embedded PostgreSQL: start or join it, get its URL, let it go."""

import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from dagster_pgflow.embedded import cluster, keeper, locks, network, postmaster
from dagster_pgflow.embedded.folder import CLUSTER, DataFolder
from dagster_pgflow.errors import EmbeddedPostgresError

_START_SECONDS = 120
_DEFAULT_LINGER_SECONDS = 30.0


class EmbeddedPostgres:
    """A real PostgreSQL in a folder, shared by all processes that name the folder.

    Example:
        >>> with EmbeddedPostgres("/var/lib/flows") as server:  # doctest: +SKIP
        ...     url = server.url()

    Args:
        data_dir: The data folder; made when it is missing, reused when it is there.
        durable: False trades safety in a crash of the machine for speed: for tests.
        linger: Seconds that the server outlives its last user, if that one did not call `stop`.
        port: A port of 127.0.0.1 for clients that know no Unix sockets; see `network_address`.
            All options are those of the process that starts the server; who joins gets them.
    """

    def __init__(
        self,
        data_dir: Path | str,
        *,
        durable: bool = True,
        linger: float = _DEFAULT_LINGER_SECONDS,
        port: int | None = None,
    ) -> None:
        self.data_dir = Path(data_dir).expanduser().absolute()
        self._durable = durable
        self._linger = linger
        self._port = port
        # A bare descriptor: a process that never calls `stop` uses the server until it ends.
        self._use: int | None = None

    def start(self) -> str:
        """Starts the server, or joins the one that runs, and returns the URL of its database.

        Calling it again is cheap, and brings back a server that has died in between. The first
        start of a folder takes seconds, a later one some tenths of a second, joining nothing.

        Raises:
            EmbeddedPostgresError: It cannot start; the message says why and what to do.
        """
        folder = DataFolder.open(self.data_dir)
        with locks.exclusive(folder.starting, _START_SECONDS):
            use = locks.share(folder.users) if self._use is None else self._use
            try:
                folder = cluster.with_account_of_its_own(folder)
                cluster.ensure_cluster(folder, durable=self._durable)
                self._ensure_running(folder)
                self._ensure_password(folder)
            except BaseException:
                if self._use is None:
                    os.close(use)
                raise
            self._use = use
        return self.url()

    def stop(self, *, for_everyone: bool = False) -> None:
        """Lets go of the server, and ends it if no other process uses it.

        Args:
            for_everyone: End it even under the hands of its other users.

        Raises:
            EmbeddedPostgresError: It would not end.
        """
        if self._use is None and not (for_everyone and (self.data_dir / CLUSTER).exists()):
            return
        folder = DataFolder.open(self.data_dir)
        with locks.exclusive(folder.starting, _START_SECONDS):
            if self._use is not None:
                os.close(self._use)
                self._use = None
            if for_everyone or not locks.is_held(folder.users):
                postmaster.end_server(folder)
                _wait_for_keeper(folder)

    def url(self, database: str = "pgflow", *, driver: str | None = None) -> str:
        """Returns the URL of a database of the running server.

        The databases `pgflow` and `dagster` (for Dagster's own storage) exist from the start.

        Args:
            driver: An SQLAlchemy driver such as `psycopg2`; without one any libpq takes the URL.

        Raises:
            EmbeddedPostgresError: The server does not run.
        """
        found = self._serving()
        scheme = "postgresql" if driver is None else f"postgresql+{driver}"
        host = quote(str(found.socket_folder), safe="/")
        return f"{scheme}://{cluster.SUPERUSER}@/{quote(database, safe='')}?host={host}"

    def network_address(self) -> network.NetworkAddress | None:
        """Returns the port of the running server, with what opens it; None without a port.

        Raises:
            EmbeddedPostgresError: The server does not run.
        """
        return network.address_of(self.data_dir / CLUSTER, self._serving().port)

    def is_running(self) -> bool:
        """Return whether the server takes connections now, whoever started it."""
        return postmaster.serving(self.data_dir / CLUSTER) is not None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _serving(self) -> postmaster.Postmaster:
        found = postmaster.serving(self.data_dir / CLUSTER)
        if found is None:
            raise EmbeddedPostgresError(
                f"The embedded PostgreSQL in {self.data_dir} is not running; start it first."
            )
        return found

    def _ensure_password(self, folder: DataFolder) -> None:
        found = self._serving()
        if found.port is not None:
            network.ensure_password(folder, cluster.programs_for(folder), found.socket_folder)

    def _ensure_running(self, folder: DataFolder) -> None:
        """Waits until the server takes connections, giving it a keeper where it has none."""
        deadline = time.monotonic() + _START_SECONDS
        log_size: int | None = None
        while True:
            kept = locks.is_held(folder.keeper)
            if kept and postmaster.serving(folder.cluster):
                return
            if not kept:
                if log_size is not None:
                    raise EmbeddedPostgresError(
                        f"PostgreSQL did not start in {folder.path}: "
                        f"{_reason(folder, log_size)} (all of it is in {folder.log})"
                    )
                cluster.programs_for(folder)
                if postmaster.serving(folder.cluster) is None:
                    postmaster.clear_remnants(folder)
                    if self._port is not None:
                        network.refuse_taken(self._port)
                log_size = folder.log.stat().st_size if folder.log.exists() else 0
                keeper.spawn(folder, durable=self._durable, linger=self._linger, port=self._port)
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"PostgreSQL in {folder.path} has not become ready in {_START_SECONDS} "
                    f"seconds; see {folder.log}."
                )
            time.sleep(locks.POLL_SECONDS)


def _wait_for_keeper(folder: DataFolder) -> None:
    """Waits for the keeper to notice the end of its server, so that nothing is left behind."""
    deadline = time.monotonic() + _START_SECONDS
    while locks.is_held(folder.keeper) and time.monotonic() < deadline:
        time.sleep(locks.POLL_SECONDS)


def _reason(folder: DataFolder, offset: int) -> str:
    """Finds in the log, from an offset on, the line that says why the server ended."""
    log = folder.log.read_bytes()
    lines = log[offset if offset <= len(log) else 0 :].decode(errors="replace").splitlines()
    errors = [line for line in lines if "FATAL:" in line or "PANIC:" in line or "Error" in line]
    return (errors or lines or ["no reason given"])[-1].strip()

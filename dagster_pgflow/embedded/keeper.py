"""The keeper: starts the server, and stops it when nobody needs it any more.

A process of its own (`python -m dagster_pgflow.embedded.keeper`), because no user of the server
can be trusted to be there at the end: any of them may be killed. It leaves the session of
whoever started it, so that neither Ctrl-C nor a closed terminal reaches it.
"""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from dagster_pgflow.embedded import binaries, cluster, locks, network, postmaster
from dagster_pgflow.embedded.folder import DEFAULT_PORT, DataFolder
from dagster_pgflow.errors import EmbeddedPostgresError

_LOOK_EVERY_SECONDS = 0.5
_PSQL_SECONDS = 10

_SETTINGS = {
    "unix_socket_permissions": "0700",
    # A Dagster deployment opens connections from many processes at once.
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}
_NO_PORT = 0
_FORGETFUL = {"fsync": "off", "full_page_writes": "off"}


def spawn(folder: DataFolder, *, durable: bool, linger: float, port: int | None) -> None:
    """Starts a keeper for a folder that has none; it goes on when this process ends.

    Raises:
        EmbeddedPostgresError: It ended at once; the message carries its reason.
    """
    package_root = str(Path(__file__).parents[2])
    search_path = os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH")]))
    options = [str(int(durable)), str(linger), str(port or _NO_PORT)]
    result = subprocess.run(
        [sys.executable, "-m", __name__, str(folder.path), *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={**os.environ, "PYTHONPATH": search_path},
    )
    if result.returncode != 0:
        reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise EmbeddedPostgresError(
            f"The keeper of the embedded PostgreSQL in {folder.path} could not start: {reason}"
        )


@dataclass(frozen=True)
class Keeper:
    """Watches over one server for as long as it runs.

    Attributes:
        linger: Seconds that the server outlives its last user.
        port: On which it listens besides the socket, if it shall.
    """

    folder: DataFolder
    programs: Path
    durable: bool
    linger: float
    port: int | None

    def run(self) -> None:
        """Starts the server, or adopts one that lost its keeper, and returns when it is gone."""
        server = None if postmaster.serving(self.folder.cluster) else self._launch()
        socket_folder = self.folder.socket_folder()
        last_used = time.monotonic()
        while self._runs(server):
            # The question of who uses the server is only asked under this lock: asking it takes
            # the lock `users` for an instant, which would look like a use to another asker.
            with locks.attempt(self.folder.starting) as alone:
                if not alone or locks.is_held(self.folder.users):
                    last_used = time.monotonic()
                elif time.monotonic() - last_used > self.linger:
                    if not self._somebody_is_connected():
                        postmaster.end_server(self.folder)
                    last_used = time.monotonic()
        network.remove_link(socket_folder)
        if socket_folder != self.folder.cluster and not any(socket_folder.iterdir()):
            socket_folder.rmdir()

    def _launch(self) -> subprocess.Popen[bytes]:
        log = self.folder.open_log()
        socket_folder = self.folder.socket_folder()
        settings = _SETTINGS | ({} if self.durable else _FORGETFUL)
        settings |= network.settings(self.folder, self.port)
        quoted = str(socket_folder).replace('"', '""')
        settings["unix_socket_directories"] = f'"{quoted}"'
        network.link_socket(socket_folder, self.port)
        port = str(self.port or DEFAULT_PORT)
        options = [word for item in settings.items() for word in ("-c", "=".join(item))]
        server = subprocess.Popen(
            [self.programs / "postgres", "-D", self.folder.cluster, "-p", port, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=self.folder.cluster,
            env=binaries.environment(),
            umask=0o077,
            start_new_session=True,
            **self.folder.account.subprocess_options(),
        )
        os.close(log)
        return server

    def _runs(self, server: subprocess.Popen[bytes] | None) -> bool:
        """Waits for a moment and says whether the server still runs."""
        if server is None:
            time.sleep(_LOOK_EVERY_SECONDS)
            found = postmaster.Postmaster.of(self.folder.cluster)
            return found is not None and found.answers()
        try:
            server.wait(_LOOK_EVERY_SECONDS)
        except subprocess.TimeoutExpired:
            return True
        return False

    def _somebody_is_connected(self) -> bool:
        """Asks the server for sessions of programs that do not use our lock, such as psql."""
        found = postmaster.serving(self.folder.cluster)
        if found is None:
            return False
        query = (
            "select count(*) from pg_stat_activity "
            "where backend_type = 'client backend' and pid <> pg_backend_pid()"
        )
        address = ["-h", str(found.socket_folder), "-p", str(DEFAULT_PORT), "-U", cluster.SUPERUSER]
        try:
            answer = subprocess.run(
                [self.programs / "psql", *address, "-d", "postgres", "-XAtc", query],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=_PSQL_SECONDS,
                env=binaries.environment(),
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return answer.returncode == 0 and answer.stdout.strip() != "0"


def main() -> None:
    """Takes the place of the keeper and lets the caller go on at once."""
    path, durable, linger, port = sys.argv[1:]
    folder = DataFolder.open(Path(path))
    programs = cluster.programs_for(folder)
    keeper = Keeper(folder, programs, durable == "1", float(linger), int(port) or None)
    if locks.try_exclusive(folder.keeper) is None:
        return
    if os.fork() != 0:
        os._exit(0)  # the child shares the lock
    os.setsid()
    log = folder.open_log()
    # Also lets the caller see the end of our output, for which it waits.
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    os.close(log)
    keeper.run()


if __name__ == "__main__":
    main()

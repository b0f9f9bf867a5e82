"""A PostgreSQL server of a test's own, which it may kill, stop and fill up."""

import logging
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2.extensions

from dagster_pgflow.embedded import EmbeddedPostgres
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.migrator import migrate
from tests.polling import poll
from tests.postgres import Session

WAITS = logging.getLogger("dagster_pgflow.store.retrying")


class OwnServer:
    """A server with the schema in its database `pgflow`."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder
        self._server = EmbeddedPostgres(folder, durable=False)
        self._server.start()
        self.url = self._server.url()
        database = Database(self.url)
        migrate(database)
        database.close()

    def url_of(self, **parts: str) -> str:
        """Returns the address with other parts."""
        given = psycopg2.extensions.parse_dsn(self.url)
        dsn: str = psycopg2.extensions.make_dsn(**(given | parts))
        return dsn

    def session(self) -> Session:
        """Opens a session of the administrator."""
        return Session(self.url)

    def kill(self) -> None:
        """Kills the server as the operating system does that has no memory left."""
        pid_file = self._server.data_dir / "cluster" / "postmaster.pid"
        pid = int(pid_file.read_text().splitlines()[0])
        os.kill(pid, signal.SIGKILL)
        poll(lambda: not self._server.is_running())

    def start(self) -> None:
        """Starts it again; it recovers first."""
        self._server.start()

    def restart(self) -> None:
        """Stops it, under the hands of all its users, and starts it again."""
        self._server.stop(for_everyone=True)
        self._server.start()

    @contextmanager
    def coming_back(self) -> Iterator[None]:
        """Starts it again as soon as somebody waits for it, at the latest at the block's end."""
        with somebody_waits() as waits:

            def start() -> None:
                waits.wait()
                self.start()

            starter = threading.Thread(target=start)
            starter.start()
            try:
                yield
            finally:
                waits.set()
                starter.join()

    def close(self) -> None:
        """Ends it."""
        self._server.stop(for_everyone=True)


@contextmanager
def somebody_waits() -> Iterator[threading.Event]:
    """Yields what is set when somebody begins to wait for a database."""
    seen = threading.Event()

    class Watch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002  whatever it says
            seen.set()

    watch = Watch()
    WAITS.addHandler(watch)
    try:
        yield seen
    finally:
        WAITS.removeHandler(watch)


@contextmanager
def own_server() -> Iterator[OwnServer]:
    """Yields a server that ends with the block."""
    with tempfile.TemporaryDirectory(prefix="pgflow-tests-") as folder:
        server = OwnServer(Path(folder) / "data")
        try:
            yield server
        finally:
            server.close()

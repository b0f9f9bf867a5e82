"""A proxy to a PostgreSQL server that loses the answer to one commit."""

import os
import select
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg2.extensions

_SOCKET = ".s.PGSQL.5432"
_COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
"""A query of this one word; `read committed` is not one."""


class LossyProxy:
    """Hands on what clients say, and what the server says.

    Attributes:
        url: Its address.
        loses_next_commit: Whether the next commit is done, and its answer lost with the connection.
    """

    def __init__(self, server_url: str, folder: Path) -> None:
        given = psycopg2.extensions.parse_dsn(server_url)
        self._target = Path(given["host"]) / _SOCKET
        self.url = psycopg2.extensions.make_dsn(**(given | {"host": str(folder)}))
        self.loses_next_commit = False
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(os.fspath(folder / _SOCKET))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Takes no more clients, and waits until those there are have gone."""
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._serve, args=(client,)))
                self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            server.connect(os.fspath(self._target))
            while True:
                for speaker in select.select([client, server], [], [])[0]:
                    said = speaker.recv(65536)
                    if not said:
                        return
                    (server if speaker is client else client).sendall(said)
                    if speaker is client and self.loses_next_commit and said == _COMMIT:
                        self.loses_next_commit = False
                        server.recv(65536)
                        return


@contextmanager
def lossy_proxy(server_url: str) -> Iterator[LossyProxy]:
    """Yields a proxy to a server; connections through it have to end before the block does."""
    with tempfile.TemporaryDirectory(prefix="pgflow-tests-") as folder:
        proxy = LossyProxy(server_url, Path(folder))
        try:
            yield proxy
        finally:
            proxy.close()

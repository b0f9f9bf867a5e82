"""A service that speaks byte by byte, as no decent one would: real sockets, threads of the test."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Talk = Callable[[socket.socket, threading.Event], None]
"""Answers one connection, until the event says that the test is over."""


@contextmanager
def raw_service(talk: Talk, *, reads_request: bool = True) -> Iterator[str]:
    """Runs a service that talks to each connection in its own way; gives its address."""
    over = threading.Event()
    threads: list[threading.Thread] = []

    def converse(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            if reads_request:
                connection.recv(65536)
            talk(connection, over)

    def listen() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=converse, args=(connection,), daemon=True))
            threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            over.set()
            server.shutdown(socket.SHUT_RDWR)
    listener.join(5)
    for thread in threads:
        thread.join(5)


def saying(*parts: bytes) -> Talk:
    """Answers with the same bytes at once."""

    def talk(connection: socket.socket, _over: threading.Event) -> None:
        for part in parts:
            connection.sendall(part)

    return talk


def dripping(head: bytes, drop: bytes, pause: float = 0.05) -> Talk:
    """Answers with a beginning, and then with one drop after the other for ever."""

    def talk(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(head)
        while not over.wait(pause):
            connection.sendall(drop)

    return talk


def flooding(head: bytes, wave: bytes) -> Talk:
    """Answers with a beginning, and then with the same bytes for ever, as fast as it can."""

    def talk(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(head)
        while not over.is_set():
            connection.sendall(wave)

    return talk


def with_length(content: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Returns an answer with a body, and headers just as they are given."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content

"""What the probes of a container, and Prometheus, ask a live worker over HTTP."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6
from socketserver import TCPServer
from typing import Any, Final

from dagster_pgflow.errors import ConfigurationError

PLAIN: Final = "text/plain; charset=utf-8"
LONGEST_QUESTION_S: Final = 10.0


@dataclass(frozen=True)
class ProbeAnswers:
    """What is answered.

    Attributes:
        why_not_ready: Says why nothing is started at this moment, or `None`.
        metrics: Returns what Prometheus reads, and its content type.
    """

    why_not_ready: Callable[[], str | None]
    metrics: Callable[[], tuple[bytes, str]]

    def to(self, path: str) -> tuple[HTTPStatus, bytes, str]:
        """Return status, body and content type for a path."""
        match path.partition("?")[0]:
            case "/healthz":
                return HTTPStatus.OK, b"The live worker is there.\n", PLAIN
            case "/readyz":
                why_not = self.why_not_ready()
                if why_not is None:
                    return HTTPStatus.OK, b"Runs start as they are asked for.\n", PLAIN
                return HTTPStatus.SERVICE_UNAVAILABLE, f"{why_not}\n".encode(), PLAIN
            case "/metrics":
                body, content_type = self.metrics()
                return HTTPStatus.OK, body, content_type
            case _:
                return HTTPStatus.NOT_FOUND, b"Ask /healthz, /readyz or /metrics.\n", PLAIN


@contextmanager
def answering(address: str, answers: ProbeAnswers) -> Iterator[None]:
    """Answer in threads of this process, as long as the block lasts.

    Args:
        address: A port, or host and port: `8080`, `127.0.0.1:8080`, `[::1]:8080`.
        answers: What is answered.

    Raises:
        ConfigurationError: That is no address, or nobody can listen there.
    """
    host, port = parse_listen_address(address)
    try:
        server = _Server((host, port), _questions(answers))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(
            f"Nobody can listen on {address}, which --health names: {reason}."
        ) from error
    thread = threading.Thread(target=server.serve_forever, name="pgflow-health", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def parse_listen_address(text: str) -> tuple[str, int]:
    """Return host and port of an address.

    >>> parse_listen_address("8080")
    ('', 8080)
    >>> parse_listen_address("[::1]:8080")
    ('::1', 8080)

    Raises:
        ConfigurationError: It is none.
    """
    host, _, port = text.strip().rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise ConfigurationError(
            f'"{text}" is no address to listen on; write a port, such as 8080, or host and port,'
            " such as 127.0.0.1:8080."
        )
    return host.removeprefix("[").removesuffix("]"), int(port)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], questions: type[BaseHTTPRequestHandler]) -> None:
        if ":" in address[0]:
            self.address_family = AF_INET6
        super().__init__(address, questions)

    def server_bind(self) -> None:
        """Bind without asking the network what this machine is called, which may take long."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "", self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: whoever hung up, or asked in another language, knows."""


def _questions(answers: ProbeAnswers) -> type[BaseHTTPRequestHandler]:
    class Questions(BaseHTTPRequestHandler):
        timeout = LONGEST_QUESTION_S

        def do_GET(self) -> None:
            """Answer."""
            status, body, content_type = answers.to(self.path)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815  the name that the library calls

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing: probes ask every few seconds."""

    return Questions

"""A web service of our own: real sockets, in a thread of the test."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.polling import PATIENCE_S

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What the service answers, once the event `when` is set, if there is one."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    when: threading.Event | None = None

    @property
    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body).encode()


Reply = Callable[[Asked], Answer]


class WebService:
    """What was asked so far, and what is answered to it, by path."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[Asked] = []
        self.replies: dict[str, Reply] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def on(self, path: str, *answers: Answer | Reply) -> str:
        """Answers at a path one after the other, the last one for ever; returns its address."""
        left = list(answers)

        def reply(asked: Asked) -> Answer:
            answer = left.pop(0) if len(left) > 1 else left[0]
            return answer if isinstance(answer, Answer) else answer(asked)

        self.replies[path] = reply
        return f"{self.url}{path}"


@contextmanager
def web_service(certificate: Path | None = None) -> Iterator[WebService]:
    """Runs a web service on a free port of this computer, with a certificate over TLS."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            query = parse_qsl(parts.query, keep_blank_values=True)
            asked = Asked(self.command, parts.path, query, headers, self.rfile.read(length))
            service.asked.append(asked)
            reply = service.replies.get(parts.path)
            answer = reply(asked) if reply else Answer(404, {"no": parts.path})
            if answer.when is not None:
                answer.when.wait(PATIENCE_S)
            self.send_response(answer.status)
            kind = {} if isinstance(answer.body, bytes) else {"Content-Type": "application/json"}
            for name, value in {**kind, **answer.headers}.items():
                self.send_header(name, value)
            content = b"" if self.command == "HEAD" else answer.content
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_args: Any) -> None:
            """Keeps quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_args: Any) -> None:
            """Keeps quiet about those who did not wait for the answer."""

    for method in METHODS:
        setattr(Handler, f"do_{method}", Handler._answer)
    server = Server(("127.0.0.1", 0), Handler)
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    service = WebService(server.server_address[1])
    # How often it looks whether it shall end; Python's own half a second is longer than a test.
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

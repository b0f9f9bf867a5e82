"""One request and its answer over a connection of their own, with one deadline over everything.

Whatever a service does, each wait is for what is left until the deadline and no longer. Nothing
here writes a log, and nothing that comes in is quoted in an error: both could show a secret.
"""

import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, Final

import h11
import httpx

from dagster_pgflow.runtime.node_types.addresses import Target
from dagster_pgflow.runtime.node_types.call import HttpAnswer, HttpCall
from dagster_pgflow.runtime.node_types.unpacking import Body, BodyBroken, BodyTooLong
from dagster_pgflow.step_errors import HttpFailed, NonRetryable

MOST_HEADER_BYTES: Final = 65_536
READ_AT_ONCE: Final = 65_536
WITH_A_BODY: Final = frozenset({"POST", "PUT", "PATCH"})


def exchange(call: HttpCall, targets: Sequence[Target], most_bytes: int) -> HttpAnswer:
    """Send a request to the first of some addresses that can be reached; return the answer.

    Args:
        targets: Where its host may be reached.
        most_bytes: How long the body of the answer may be, unpacked.

    Raises:
        HttpFailed: There is no answer in time.
        NonRetryable: The answer is too long, or packed in a way that nobody asked for.
    """
    return _exchanged(call, targets, most_bytes)


def head_of_answer(call: HttpCall, targets: Sequence[Target]) -> HttpAnswer:
    """Send a request as `exchange` does; what the service says behind its headers is not read.

    Raises:
        HttpFailed: There is no answer in time.
    """
    return _exchanged(call, targets, None)


def _exchanged(call: HttpCall, targets: Sequence[Target], most_bytes: int | None) -> HttpAnswer:
    with _connected(call, targets) as stream:
        peer = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEADER_BYTES)
        try:
            _send(call, peer, stream)
            return _received(call, peer, stream, most_bytes)
        except TimeoutError:
            raise call.took_too_long from None
        except BodyTooLong:
            raise NonRetryable(
                f"{call.shown} answered with more than {most_bytes} bytes; raise"
                " max_response_bytes, or ask for less."
            ) from None
        except NonRetryable as refused:
            raise NonRetryable(f"{call.shown} {refused}") from None
        except (OSError, h11.ProtocolError, BodyBroken) as error:
            _, is_closed = peer.trailing_data
            reason = _reason_of_silence(error, is_closed=is_closed)
            raise HttpFailed(f"{call.shown} got no answer: {reason}.") from None


@contextmanager
def _connected(call: HttpCall, targets: Sequence[Target]) -> Iterator[socket.socket]:
    """Give a connection to the first address that takes one; none of them gets all of the time."""
    reason = "its host has no address"
    for position, target in enumerate(targets):
        seconds = call.seconds_left / (len(targets) - position)
        try:
            stream = _opened(call, target, seconds)
        except TimeoutError:
            reason = "it took too long"
        except OSError as error:
            reason = _reason_without_connection(call, error)
        else:
            with stream:
                yield stream
            return
    _ = call.seconds_left
    raise HttpFailed(f"{call.shown} cannot connect: {reason}.")


def _opened(call: HttpCall, target: Target, seconds: float) -> socket.socket:
    stream = socket.socket(target.family, socket.SOCK_STREAM)
    try:
        stream.settimeout(seconds)
        stream.connect(target.address)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if call.url.scheme == "https":
            # Python waits no longer for all steps of the handshake than for one.
            stream.settimeout(call.seconds_left)
            stream = _tls().wrap_socket(stream, server_hostname=call.host)
    except BaseException:
        stream.close()
        raise
    return stream


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _send(call: HttpCall, peer: h11.Connection, stream: socket.socket) -> None:
    headers = {**call.headers, "host": call.url.netloc.decode("ascii"), "connection": "close"}
    if call.content or call.method in WITH_A_BODY:
        headers["content-length"] = str(len(call.content))
    events: list[Any] = [
        h11.Request(method=call.method, target=call.url.raw_path, headers=list(headers.items())),
        *([h11.Data(call.content)] if call.content else []),
        h11.EndOfMessage(),
    ]
    # Who does not want to hear all of it may have answered nevertheless.
    with suppress(ConnectionError):
        for event in events:
            waiting = memoryview(peer.send(event) or b"")
            while waiting:
                stream.settimeout(call.seconds_left)
                waiting = waiting[stream.send(waiting) :]


def _received(
    call: HttpCall, peer: h11.Connection, stream: socket.socket, most_bytes: int | None
) -> HttpAnswer:
    status, headers, body = 0, _headers([]), Body("", most_bytes or 0)
    while True:
        match peer.next_event():
            case h11.NEED_DATA:
                stream.settimeout(call.seconds_left)
                peer.receive_data(stream.recv(READ_AT_ONCE))
            case h11.Response() as response:
                status, headers = response.status_code, _headers(response.headers)
                if most_bytes is None:
                    return HttpAnswer(status, headers, b"")
                body = Body(headers.get("content-encoding", ""), most_bytes)
            case h11.Data() as data:
                body.add(bytes(data.data))
            case h11.InformationalResponse():
                pass
            case _:
                return HttpAnswer(status, headers, body.whole())


def _headers(raw: Any) -> Mapping[str, str]:
    found: dict[str, list[str]] = {}
    for name, value in raw:
        found.setdefault(name.decode("ascii").lower(), []).append(_header_text(value))
    return {name: ", ".join(values) for name, values in found.items()}


def _header_text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _reason_of_silence(error: Exception, *, is_closed: bool) -> str:
    match error:
        case BodyBroken():
            return "its body cannot be unpacked"
        case h11.RemoteProtocolError(error_status_hint=431):
            return f"its headers are longer than {MOST_HEADER_BYTES} bytes"
        case h11.ProtocolError() if not is_closed:
            return "what it sent is no HTTP"
        case _:
            return "it broke off"


def _reason_without_connection(call: HttpCall, error: OSError) -> str:
    match error:
        case ssl.SSLError() if call.discreet:
            return error.reason or "TLS failed"
        case ssl.SSLError():
            return str(error)
        case _:
            return error.strerror or type(error).__name__

"""What a hostile service can do to `pgflow.http`: nothing but fail its own step, in time."""

import gzip
import socket
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from dagster_pgflow.step_errors import HandlerFailed, NonRetryable
from tests.polling import poll
from tests.raw_service import dripping, flooding, raw_service, saying, with_length
from tests.unit.runtime.asking import ask, failure

MEGABYTE = 1 << 20
TIMEOUT = 0.3
"""An attempt is given up after 30 seconds, and says so in another way."""


@contextmanager
def bounded_memory(most: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < most


def bomb(size: int, layers: int) -> bytes:
    """Zeros, packed so many times."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(MEGABYTE)
    content = b"".join(packer.compress(zeros) for _ in range(size // MEGABYTE)) + packer.flush()
    for _ in range(layers - 1):
        content = gzip.compress(content)
    return content


def test_a_body_that_is_packed_twice_is_refused() -> None:
    content = bomb(100 * MEGABYTE, 2)
    assert len(content) < 1000
    with (
        raw_service(saying(with_length(content, "Content-Encoding: gzip, gzip"))) as url,
        bounded_memory(3 * MEGABYTE),
    ):
        told = failure(NonRetryable, url)
    assert told.endswith(
        "answered with a body that is packed in a way that nobody asked for; steps unpack gzip and"
        " deflate, once."
    )


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Encoding: gzip", "Content-Encoding: gzip"],
        ["Content-Encoding: gzip,deflate,gzip"],
        ["Content-Encoding: br"],
        ["Content-Encoding: zstd"],
        ["Content-Encoding: " + "gzip," * 5000],
    ],
)
def test_so_is_one_that_is_packed_in_another_way(headers: list[str]) -> None:
    with raw_service(saying(with_length(b"x", *headers))) as url:
        assert "packed in a way that nobody asked for" in failure(NonRetryable, url)


def packed(how: str) -> tuple[bytes, str]:
    content = bytes(50 * MEGABYTE)
    match how:
        case "gzip" | "x-gzip":
            return gzip.compress(content), how
        case "zlib":
            return zlib.compress(content), "deflate"
        case _:
            raw = zlib.compressobj(9, zlib.DEFLATED, -15)
            return raw.compress(content) + raw.flush(), "deflate"


@pytest.mark.parametrize("how", ["gzip", "x-gzip", "zlib", "raw"])
def test_the_limit_speaks_while_a_body_is_unpacked(how: str) -> None:
    content, encoding = packed(how)
    answer = with_length(content, f"Content-Encoding: {encoding}")
    with raw_service(saying(answer)) as url, bounded_memory(MEGABYTE):
        told = failure(NonRetryable, url, max_response_bytes=100_000)
    assert "answered with more than 100000 bytes; raise max_response_bytes" in told


def test_the_limit_holds_for_what_comes_in_pieces_without_a_length() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with raw_service(flooding(head, b"1\r\nx\r\n")) as url, bounded_memory(MEGABYTE):
        told = failure(NonRetryable, url, max_response_bytes=1000)
        assert "answered with more than 1000 bytes" in told
    with raw_service(flooding(b"HTTP/1.0 200 OK\r\n\r\n", b"x" * 1000)) as url:
        assert "more than 5000 bytes" in failure(NonRetryable, url, max_response_bytes=5000)


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "raw", "identity", "GZip"])
@pytest.mark.parametrize("size", [0, 1, 70_000])
def test_a_packed_body_arrives_whole(encoding: str, size: int) -> None:
    text = "".join(chr(65 + i * i % 57) for i in range(size))
    raw = zlib.compressobj(wbits=-15)
    pack: dict[str, Callable[[bytes], bytes]] = {
        "deflate": zlib.compress,
        "raw": lambda content: raw.compress(content) + raw.flush(),
        "identity": bytes,
    }
    content = pack.get(encoding, gzip.compress)(text.encode())
    header = f"Content-Encoding: {'deflate' if encoding == 'raw' else encoding}"
    with raw_service(saying(with_length(content, header, "Content-Type: text/plain"))) as url:
        assert ask(url)["body"] == (text or None)


def test_two_packed_parts_are_one_body() -> None:
    content = gzip.compress(b"one ") + gzip.compress(b"two") + bytes(10)
    with raw_service(saying(with_length(content, "Content-Encoding: gzip"))) as url:
        assert ask(url)["body"] == "one two"


@pytest.mark.parametrize("cut", [5, 40, -1])
def test_a_packed_body_that_breaks_off_is_no_body(cut: int) -> None:
    content = gzip.compress(bytes(range(256)) * 20)[:cut]
    with raw_service(saying(with_length(content, "Content-Encoding: gzip"))) as url:
        assert "got no answer: its body cannot be unpacked." in failure(HandlerFailed, url)


def test_an_empty_answer_need_not_be_packed() -> None:
    with raw_service(saying(b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n")) as url:
        assert ask(url, method="HEAD")["body"] is None


OK = b"HTTP/1.1 200 OK\r\n"
SLOW = {
    "headers": dripping(OK + b"X-A: ", b"x"),
    "many headers": dripping(OK, b"X-A: x\r\n"),
    "status": dripping(b"HTTP/1.1 200 ", b"O"),
    "nothing": dripping(b"", b""),
    "news that it will answer": dripping(b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "a flood of such news": flooding(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100),
    "body": dripping(OK + b"Content-Length: 1000000\r\n\r\n", b"x"),
    "body without an end": dripping(b"HTTP/1.0 200 OK\r\n\r\n", b"x"),
    "chunks": dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "length of a chunk": dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "trailers": dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
    "empty packed parts": flooding(
        b"HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\n", gzip.compress(b"") * 100
    ),
}


@contextmanager
def nothing_left_behind() -> Iterator[None]:
    """Checks that no thread and no connection of a step outlives it."""
    process = psutil.Process()

    def there_is() -> tuple[set[str], int]:
        names = {thread.name for thread in threading.enumerate()}
        return names, len(process.net_connections())

    before = there_is()
    yield
    poll(lambda: there_is() == before)


def takes_too_long(url: str, **params: Any) -> None:
    told = failure(HandlerFailed, url, timeout=TIMEOUT, **params)
    assert "HttpFailed: " in told
    assert told.endswith("took longer than its timeout.")


@pytest.mark.parametrize("what", SLOW)
def test_one_deadline_holds_whatever_is_slow(what: str) -> None:
    with nothing_left_behind(), raw_service(SLOW[what]) as url:
        takes_too_long(url)


def test_it_holds_for_a_request_that_nobody_reads() -> None:
    def deaf(_connection: socket.socket, over: threading.Event) -> None:
        over.wait(10)

    with nothing_left_behind(), raw_service(deaf, reads_request=False) as url:
        takes_too_long(url, method="POST", body="x" * 30 * MEGABYTE)


def test_it_holds_for_the_beginning_of_tls() -> None:
    record = b"\x16\x03\x03\x40\x00"
    with nothing_left_behind(), raw_service(dripping(record, b"\x02")) as url:
        takes_too_long(url.replace("http:", "https:"))


def test_it_holds_for_all_redirects_together() -> None:
    def next_one(connection: socket.socket, over: threading.Event) -> None:
        over.wait(0.2)
        connection.sendall(with_length(b"", "Location: /again", status="302 Found"))

    with nothing_left_behind(), raw_service(next_one) as url:
        takes_too_long(url, follow_redirects=True)


def test_it_holds_for_the_look_up_of_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def slow(*_args: Any, **_kwargs: Any) -> Any:
        over.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with nothing_left_behind():
        takes_too_long("http://slow.example/a")
        over.set()


def test_a_service_that_says_no_before_it_has_read_all_is_heard() -> None:
    answer = with_length(b'{"error": "too long"}', status="413 Content Too Large")
    with raw_service(saying(answer)) as url:
        told = failure(NonRetryable, url, method="POST", body="x" * 100_000)
    assert "answered 413" in told


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (OK + b"X-A: " + b"x" * 300_000, "its headers are longer than 65536 bytes"),
        (OK + b"X-A: x\r\n" * 30_000, "its headers are longer than 65536 bytes"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "what it sent is no HTTP"),
        (OK + b"Bad Header\r\n\r\n", "what it sent is no HTTP"),
        (OK + b"Content-Length: 5\r\n\r\nabc", "it broke off"),
        (OK + b"Content-Length: -5\r\n\r\nabc", "what it sent is no HTTP"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "what it sent is no HTTP"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc", "it broke off"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "what it sent is no HTTP"),
        (b"", "it broke off"),
    ],
)
def test_what_is_no_answer_is_told_without_a_quotation(answer: bytes, reason: str) -> None:
    with nothing_left_behind(), raw_service(saying(answer)) as url:
        told = failure(HandlerFailed, url)
    assert told.endswith(f"got no answer: {reason}.")


@pytest.mark.parametrize("charset", ["punycode", "idna", "unicode_escape", "zlib", "x" * 5000])
def test_a_charset_that_is_none_is_not_tried(charset: str) -> None:
    """Some codecs of Python take time that grows with the square of the length."""
    content = b"abc-" + b"a" * 1_000_000
    answer = with_length(content, f"Content-Type: text/plain; charset={charset}")
    with raw_service(saying(answer)) as url:
        assert "neither JSON nor text" in failure(NonRetryable, url)


@pytest.mark.parametrize("number", ["1e400", "-1e999", "[1E400]"])
def test_a_number_that_json_cannot_hold_leaves_the_body_a_text(number: str) -> None:
    answer = with_length(number.encode(), "Content-Type: application/json")
    with raw_service(saying(answer)) as url:
        assert ask(url)["body"] == number


def test_headers_that_look_like_orders_are_words() -> None:
    answer = with_length(b"{}", "Content-Type: application/json", "Trailer: x", "Upgrade: h2c")
    with raw_service(saying(answer)) as url:
        assert ask(url)["body"] == {}

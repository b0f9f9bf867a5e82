"""What a live worker answers over HTTP."""

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.live.health import ProbeAnswers, answering, parse_listen_address


class Worker:
    why_not: str | None = None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def url(worker: Worker) -> Iterator[str]:
    address = f"127.0.0.1:{free_port()}"
    answers = ProbeAnswers(
        lambda: worker.why_not, lambda: (b"runs 1\n", "text/plain; version=0.0.4")
    )
    with answering(address, answers):
        yield f"http://{address}"


def asked(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_worker_that_is_not_ready_lives_and_says_why(url: str, worker: Worker) -> None:
    assert asked(f"{url}/readyz")[0] == HTTPStatus.OK
    worker.why_not = "flows: its store does not answer."
    assert asked(f"{url}/healthz")[0] == HTTPStatus.OK
    assert asked(f"{url}/readyz?verbose") == (503, "flows: its store does not answer.\n")


def test_prometheus_gets_what_it_reads_and_others_hear_what_there_is(url: str) -> None:
    assert asked(f"{url}/metrics") == (200, "runs 1\n")
    assert asked(f"{url}/") == (404, "Ask /healthz, /readyz or /metrics.\n")


def test_who_speaks_another_language_harms_nothing(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as client:
        client.sendall(b"\x16\x03\x01\xff" * 100 + b"\r\n\r\n")
        client.recv(100)
    assert asked(f"{url}/healthz")[0] == HTTPStatus.OK


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(ConfigurationError, match=f"Nobody can listen on {address}"),
            answering(address, ProbeAnswers(lambda: None, lambda: (b"", ""))),
        ):
            pass


@pytest.mark.parametrize("text", ["", "here", "1:2:x", "127.0.0.1:", "127.0.0.1:70000", "-1", "٣"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is no address to listen on"):
        parse_listen_address(text)

"""`pgflow.http` against a web service on real sockets: what is asked, and what is answered."""

import gzip
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.options import FlowOptions, retry_policy_of
from dagster_pgflow.runtime.node_types import http
from dagster_pgflow.runtime.node_types.http import _seconds_to_wait
from dagster_pgflow.runtime.tasks import Tasks, TryAgain
from dagster_pgflow.step_errors import HandlerFailed, NonRetryable, RetryAfter, StepError
from dagster_pgflow.step_path import StepPath
from tests.polling import PATIENCE_S
from tests.unit.runtime.asking import ask, failure
from tests.unit.runtime.nodes import output_of
from tests.web_service import Answer, WebService, web_service


@pytest.fixture(scope="module")
def running() -> Iterator[WebService]:
    with web_service() as service:
        yield service


@pytest.fixture
def service(running: WebService) -> WebService:
    running.asked.clear()
    return running


def test_json_comes_back_as_what_it_says(service: WebService) -> None:
    url = service.on("/a", Answer(200, {"n": [1, None]}, {"X-Page": "2"}))
    output = ask(url)
    assert (output["status"], output["body"]) == (200, {"n": [1, None]})
    assert output["headers"]["x-page"] == "2"
    [asked] = service.asked
    assert (asked.method, asked.headers["host"]) == ("GET", f"127.0.0.1:{service.port}")
    assert asked.headers["user-agent"].startswith("dagster-pgflow/")
    assert "idempotency-key" not in asked.headers


@pytest.mark.parametrize(
    ("content", "kind", "body"),
    [
        (b"plain", "text/plain", "plain"),
        ("Zoë".encode("latin-1"), "text/plain; charset=latin-1", "Zoë"),
        (b"", "text/plain", None),
        (b'{"a": 1}', "application/problem+json", {"a": 1}),
        (b"null", "application/json", None),
        (b"{no json", "application/json", "{no json"),
        (b'{"a": NaN}', "application/json", '{"a": NaN}'),
        (b'{"a": 1}', "text/plain", '{"a": 1}'),
        (b"[" * 100_000, "application/json", "[" * 100_000),
    ],
)
def test_other_bodies_are_text(service: WebService, content: bytes, kind: str, body: Any) -> None:
    url = service.on("/a", Answer(200, content, {"Content-Type": kind}))
    assert ask(url)["body"] == body


def test_a_body_that_is_no_text_is_an_error(service: WebService) -> None:
    url = service.on("/a", Answer(200, b"\x89PNG\x00\xff", {"Content-Type": "image/png"}))
    assert "answered with image/png, which is neither JSON nor text." in failure(NonRetryable, url)


@pytest.mark.parametrize(
    ("body", "sent", "kind"),
    [
        ({"a": ["ë", None]}, '{"a": ["ë", null]}'.encode(), "application/json"),
        ("plain ë", "plain ë".encode(), "text/plain; charset=utf-8"),
        (0, b"0", "application/json"),
        (False, b"false", "application/json"),
    ],
)
def test_a_body_is_json_or_text(service: WebService, body: Any, sent: bytes, kind: str) -> None:
    ask(service.on("/a", Answer(201, {})), method="post", body=body)
    [asked] = service.asked
    assert (asked.method, asked.body, asked.headers["content-type"]) == ("POST", sent, kind)
    assert asked.headers["idempotency-key"] == "r-1:s:0"


def test_headers_of_the_step_go_before_our_own(service: WebService) -> None:
    url = service.on("/a", Answer())
    headers = {"Content-Type": "application/x", "Idempotency-Key": "mine", "X-A": "b"}
    ask(url, method="PUT", body="x", headers=headers)
    found = service.asked[0].headers
    assert (found["content-type"], found["idempotency-key"]) == ("application/x", "mine")
    assert found["x-a"] == "b"


def test_the_query_is_added_to_the_address(service: WebService) -> None:
    url = service.on("/a", Answer())
    ask(f"{url}?z=1", query={"q": "a b&c", "n": 2, "t": True, "l": ["x", "y"], "none": None})
    assert service.asked[0].query == [
        ("z", "1"), ("q", "a b&c"), ("n", "2"), ("t", "true"), ("l", "x"), ("l", "y"),
    ]  # fmt: skip


@pytest.mark.parametrize("expected", [[404], "4xx", ["2xx", 404]])
def test_a_status_may_be_expected(service: WebService, expected: Any) -> None:
    output = ask(service.on("/a", Answer(404, {"no": 1})), expected_status=expected)
    assert (output["status"], output["body"]) == (404, {"no": 1})


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, NonRetryable),
        (401, NonRetryable),
        (404, NonRetryable),
        (302, NonRetryable),
        (408, HandlerFailed),
        (429, HandlerFailed),
        (500, HandlerFailed),
        (503, HandlerFailed),
        (299, HandlerFailed),
    ],
)
def test_a_failure_is_tried_again_where_that_may_help(
    service: WebService, status: int, kind: type[StepError]
) -> None:
    url = service.on("/a", Answer(status, {"error": "too  many"}))
    told = failure(kind, f"{url}?token=x", expected_status=[200])
    assert f"GET {url} answered {status}" in told
    assert told.endswith('{"error": "too many"}.')


@pytest.mark.parametrize("status", [429, 503])
def test_the_service_says_when_to_try_again(service: WebService, status: int) -> None:
    url = service.on("/a", Answer(status, None, {"Retry-After": "7"}))
    with pytest.raises(RetryAfter) as again:
        ask(url)
    assert again.value.seconds == 7
    later = format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)
    with pytest.raises(RetryAfter) as again:
        ask(service.on("/a", Answer(status, None, {"Retry-After": later})))
    assert 80_000 < again.value.seconds <= 86_400


@pytest.mark.parametrize("when", ["999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_who_asks_for_ages_does_not_get_them(service: WebService, when: str) -> None:
    with pytest.raises(RetryAfter) as again:
        ask(service.on("/a", Answer(503, None, {"Retry-After": when})))
    [step] = Flow("f").step("s", max_delay=7).steps
    tasks = Tasks(step, StepPath("s"), retry_policy_of(FlowOptions(), step.options), attempt=1)
    tasks.errors[0] = again.value
    with pytest.raises(TryAgain) as caught:
        tasks.settle()
    assert caught.value.seconds == 7


@pytest.mark.parametrize("when", ["Mon, 01 Jan 0001 00:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"])
def test_a_time_that_has_passed_is_now(service: WebService, when: str) -> None:
    with pytest.raises(RetryAfter) as again:
        ask(service.on("/a", Answer(503, None, {"Retry-After": when})))
    assert again.value.seconds == 0


@given(st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60))
@example("Mon, 99 Foo 2026 99:99:99 +9999")
@example("Mon, 01 Jan 99999999999999999999 00:00:00 GMT")
@example("٣")
def test_nothing_that_a_retry_after_says_breaks_the_step(words: str) -> None:
    seconds = _seconds_to_wait(words)
    assert seconds is None or 0 <= seconds < 1e12


@pytest.mark.parametrize("words", ["soon", "-1", "1e999", "", "9" * 30, "nan"])
def test_a_retry_after_that_says_nothing_is_left_alone(service: WebService, words: str) -> None:
    url = service.on("/a", Answer(503, None, {"Retry-After": words}))
    assert "answered 503 Service Unavailable." in failure(HandlerFailed, url)


def test_an_answer_may_be_too_long_also_when_it_is_packed(service: WebService) -> None:
    url = service.on("/a", Answer(200, b"x" * 1001, {"Content-Type": "text/plain"}))
    assert len(ask(url, max_response_bytes=1001)["body"]) == 1001
    told = failure(NonRetryable, url, max_response_bytes=1000)
    assert "answered with more than 1000 bytes; raise max_response_bytes" in told
    packed = Answer(200, gzip.compress(b"x" * 10_000_000), {"Content-Encoding": "gzip"})
    told = failure(NonRetryable, service.on("/zip", packed), max_response_bytes=100_000)
    assert "more than 100000 bytes" in told


@pytest.fixture
def slow_url(service: WebService) -> Iterator[str]:
    """The address of what answers when the test is over."""
    over = threading.Event()
    yield service.on("/slow", Answer(when=over))
    over.set()


def test_a_slow_service_is_left_alone_in_time(slow_url: str) -> None:
    assert "took longer than its timeout." in failure(HandlerFailed, slow_url, timeout=0.3)


def test_without_a_timeout_of_its_own_the_request_ends_before_the_step_is_left_alone(
    slow_url: str,
) -> None:
    params = {"url": slow_url, "allow_private": True}
    with pytest.raises(HandlerFailed, match=r"HttpFailed: GET .* took longer than its timeout\."):
        output_of("http", params, timeout=0.3, left_alone_after=PATIENCE_S)
    assert http.MARGIN < 1


def test_nobody_there_is_tried_again() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        told = failure(HandlerFailed, f"http://127.0.0.1:{port}/a")
    assert f"HttpFailed: GET http://127.0.0.1:{port}/a cannot connect: " in told


def test_a_host_that_is_not_there_is_tried_again() -> None:
    told = failure(HandlerFailed, "http://no-such-host.invalid/a")
    assert 'HttpFailed: The host "no-such-host.invalid" cannot be found' in told


def test_a_connection_that_breaks_off_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)

        def close() -> None:
            connection, _ = server.accept()
            connection.recv(1000)
            connection.close()

        thread = threading.Thread(target=close)
        thread.start()
        told = failure(HandlerFailed, f"http://127.0.0.1:{server.getsockname()[1]}/a")
        thread.join()
    assert "got no answer" in told


def test_references_lead_to_dependencies_and_the_flow_input(service: WebService) -> None:
    url = service.on("/orders/7", Answer(200, 1))
    params = {
        "url": f"{service.url}/orders/${{$nodes.cart.id}}",
        "query": {"who": "$input.who", "n": "$nodes.cart.n"},
        "allow_private": True,
        "expected_status": "$nodes.cart.status",
    }
    cart = {"id": 7, "n": 2, "status": [200]}
    output_of("http", params, {"cart": cart}, depends_on=("cart",), flow_input={"who": "Zoë"})
    assert url.endswith(service.asked[0].path)
    assert service.asked[0].query == [("who", "Zoë"), ("n", "2")]


@pytest.mark.parametrize(
    ("params", "place"),
    [
        ({"url": "$input.nowhere"}, "steps.s.params.url: $input.nowhere leads nowhere"),
        ({"url": "$input.n"}, "steps.s.params.url: Input should be a valid string"),
        (
            {"url": "ftp://${$input.n}", "allow_hosts": ["*"]},
            "steps.s.params.url: It must be an address that begins with",
        ),
        (
            {"url": "http://u:${$input.n}@x", "allow_hosts": ["*"]},
            "steps.s.params.url: It must hold no user and password",
        ),
        (
            {"url": "http://x", "headers": {"A": "$input.lines"}},
            'params.headers: The header "A" must',
        ),
        (
            {"url": "http://x", "timeout": "$input.lines"},
            "steps.s.params.timeout: Input should be a",
        ),
    ],
)
def test_params_that_came_out_wrong_are_told_with_their_place(
    params: dict[str, Any], place: str
) -> None:
    with pytest.raises(NonRetryable) as failed:
        output_of("http", params, flow_input={"n": 5, "lines": "a\r\nHost: x"})
    assert place in str(failed.value)
    assert "Host: x" not in str(failed.value)

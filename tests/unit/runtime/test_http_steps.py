"""`pgflow.http` against a web service on real sockets."""

import gzip
import json
import logging
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dagster_pgflow.errors import HandlerFailed, NonRetryable, RetryAfter, StepError
from dagster_pgflow.runtime.node_types import addresses
from dagster_pgflow.runtime.node_types.addresses import is_public
from dagster_pgflow.runtime.node_types.http import _tls
from tests.unit.runtime.nodes import output_of
from tests.web_service import Answer, Asked, WebService, web_service

TOKEN = "s3cr/et+t0ken= &é"
PLAIN_TOKEN = "s3cr3tt0ken"
CERTIFICATE = Path(__file__).parents[2] / "certificates" / "localhost.pem"


@pytest.fixture(scope="module")
def running() -> Iterator[WebService]:
    with web_service() as service:
        yield service


@pytest.fixture
def service(running: WebService) -> WebService:
    running.asked.clear()
    return running


def ask(url: str, **params: Any) -> Any:
    settings = {"timeout": 30, **{k: params.pop(k) for k in ("resources",) if k in params}}
    return output_of("http", {"url": url, "allow_private": True, **params}, **settings)


def failure(kind: type[StepError], url: str, **params: Any) -> str:
    with pytest.raises(kind) as failed:
        ask(url, **params)
    assert type(failed.value) is kind
    return str(failed.value)


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
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    with pytest.raises(RetryAfter) as again:
        ask(service.on("/a", Answer(status, None, {"Retry-After": later})))
    assert 80 < again.value.seconds <= 90


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


def test_a_slow_service_is_left_alone_in_time(service: WebService) -> None:
    url = service.on("/a", Answer(seconds=2))
    began = time.monotonic()
    assert "took longer than its timeout." in failure(HandlerFailed, url, timeout=0.3)
    assert time.monotonic() - began < 1.5


def test_without_a_timeout_of_its_own_the_request_ends_before_the_step_is_left_alone(
    service: WebService,
) -> None:
    url = service.on("/a", Answer(seconds=2))
    with pytest.raises(HandlerFailed, match=r"HttpFailed: GET .* took longer than its timeout\."):
        output_of("http", {"url": url, "allow_private": True}, timeout=0.6)


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


PRIVATE = (
    *("127.0.0.1", "localhost", "0.0.0.0", "127.1", "2130706433", "0x7f.0.0.1", "[::1]"),  # noqa: S104
    *("[::ffff:127.0.0.1]", "10.1.2.3", "169.254.169.254", "192.168.0.1", "172.16.0.1"),
    *("224.0.0.1", "255.255.255.255", "100.64.0.1", "[fe80::1]", "[fc00::1]", "[ff02::1]"),
    *("[64:ff9b::7f00:1]", "[2002:7f00:1::]"),
)


@pytest.mark.parametrize("host", PRIVATE)
def test_private_addresses_are_refused_unless_allowed(service: WebService, host: str) -> None:
    told = failure(NonRetryable, f"http://{host}:{service.port}/a", allow_private=False)
    assert "lies in no public network; say allow_private" in told
    assert service.asked == []


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_are_not(address: str) -> None:
    assert is_public(address)


def test_what_was_checked_is_what_is_connected_to(
    service: WebService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name of an attacker leads to a public address first, and to this computer then."""
    service.on("/a", Answer(200, "inside"))
    looked_up: list[Any] = []
    real = socket.getaddrinfo

    def rebound(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host != "rebound.example":
            return real(host, port, *args, **kwargs)
        looked_up.append(host)
        address = "192.0.2.1" if len(looked_up) == 1 else "127.0.0.1"
        return real(address, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    monkeypatch.setattr(addresses, "is_public", lambda address: address == "192.0.2.1")
    url = f"http://rebound.example:{service.port}/a"
    told = failure(HandlerFailed, url, allow_private=False, timeout=0.5)
    assert "cannot connect" in told or "took longer" in told
    assert looked_up == ["rebound.example"]
    assert service.asked == []


def test_the_name_is_what_the_service_sees(
    service: WebService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.on("/a", Answer(200, 1))
    ask(f"http://localhost:{service.port}/a")
    assert service.asked[0].headers["host"] == f"localhost:{service.port}"


def test_hosts_may_be_restricted(service: WebService, monkeypatch: pytest.MonkeyPatch) -> None:
    url = service.on("/a", Answer(200, 1))
    monkeypatch.setenv("PGFLOW_HTTP_HOSTS", "*.example.com, api.example.org")
    told = failure(NonRetryable, url)
    assert told.endswith(
        'Steps may not go to the host "127.0.0.1"; PGFLOW_HTTP_HOSTS lists where they may:'
        " *.example.com, api.example.org."
    )
    monkeypatch.setenv("PGFLOW_HTTP_HOSTS", "127.0.0.*")
    assert ask(url)["body"] == 1


def test_redirects_are_followed_when_the_step_says_so(service: WebService) -> None:
    service.on("/end", Answer(200, "there"))
    url = service.on("/a", Answer(302, None, {"Location": "end?x=1"}))
    assert "answered 302 Found" in failure(NonRetryable, url)
    assert ask(url, follow_redirects=True, headers={"X-Key": "k"})["body"] == "there"
    assert (service.asked[-1].query, service.asked[-1].headers["x-key"]) == ([("x", "1")], "k")


@pytest.mark.parametrize(
    ("status", "method", "arrives_as"),
    [
        (301, "POST", ("GET", b"")),
        (302, "POST", ("GET", b"")),
        (303, "PUT", ("GET", b"")),
        (307, "POST", ("POST", b'{"a": 1}')),
        (308, "PUT", ("PUT", b'{"a": 1}')),
        (302, "HEAD", ("HEAD", b'{"a": 1}')),
    ],
)
def test_what_is_asked_for_behind_a_redirect_depends_on_its_status(
    service: WebService, status: int, method: str, arrives_as: tuple[str, bytes]
) -> None:
    service.on("/end", Answer(200, 1))
    url = service.on("/a", Answer(status, None, {"Location": "/end"}))
    ask(url, method=method, body={"a": 1}, follow_redirects=True)
    assert (service.asked[-1].method, service.asked[-1].body) == arrives_as


def test_another_host_gets_no_headers_and_no_body(service: WebService) -> None:
    elsewhere = f"http://localhost:{service.port}/end"
    service.on("/end", Answer(200, 1))
    url = service.on("/a", Answer(307, None, {"Location": elsewhere}))
    headers = {"X-Key": "k", "Authorization": "Bearer x", "Accept": "text/plain"}
    ask(url, headers=headers, follow_redirects=True)
    found = service.asked[-1].headers
    assert (found["accept"], found["host"]) == ("text/plain", f"localhost:{service.port}")
    assert not {"x-key", "authorization"} & found.keys()
    told = failure(NonRetryable, url, method="POST", body={"a": 1}, follow_redirects=True)
    assert f"leads to another host, POST {elsewhere}, which must not get the body" in told


def test_each_redirect_is_checked(service: WebService, monkeypatch: pytest.MonkeyPatch) -> None:
    url = service.on("/a", Answer(302, None, {"Location": "http://10.0.0.1/x"}))
    # What is this computer to us is public for once, so that only the redirect leads inside.
    monkeypatch.setattr(addresses, "is_public", lambda address: address == "127.0.0.1")
    told = failure(NonRetryable, url, allow_private=False, follow_redirects=True)
    assert 'The address "10.0.0.1" lies in no public network' in told


@pytest.mark.parametrize("target", ["ftp://example.org/x", "javascript:1", "file:///x"])
def test_a_redirect_must_lead_to_a_web_address(service: WebService, target: str) -> None:
    url = service.on("/a", Answer(302, None, {"Location": target}))
    failure(NonRetryable, url, follow_redirects=True)


def test_redirects_in_a_circle_end(service: WebService) -> None:
    url = service.on("/a", Answer(302, None, {"Location": "/a"}))
    assert "more than 10 redirects" in failure(NonRetryable, url, follow_redirects=True)
    assert len(service.asked) == 11


def echo(asked: Asked) -> Answer:
    told = {"headers": dict(asked.headers), "query": asked.query, "body": asked.body.decode()}
    return Answer(200, told, {"X-Said": asked.headers.get("authorization", "")})


@pytest.mark.parametrize("token", [TOKEN, PLAIN_TOKEN, "12345678"])
def test_a_secret_arrives_and_does_not_come_back(
    service: WebService, monkeypatch: pytest.MonkeyPatch, token: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setenv("PGFLOW_SECRET_TOKEN", token)
    url = service.on("/a", echo)
    caplog.set_level(logging.DEBUG)
    secret = "${secret:TOKEN}"
    headers = {} if token == TOKEN else {"Authorization": f"Bearer {secret}"}
    output = ask(url, method="POST", query={"k": secret}, headers=headers, body={"x": [secret]})
    [asked] = service.asked
    assert asked.query == [("k", token)]
    assert json.loads(asked.body) == {"x": [token]}
    if headers:
        assert asked.headers["authorization"] == f"Bearer {token}"
        assert output["headers"]["x-said"] == "Bearer ***"
    assert output["body"]["query"] == [["k", "***"]]
    assert output["body"]["body"] == '{"x": ["***"]}'
    assert token not in json.dumps(output, ensure_ascii=False)
    # With its own debug log turned on, httpcore shows the headers of each answer.
    written = [line for line in caplog.messages if "receive_response_headers.complete" not in line]
    assert "POST 127.0.0.1 answered 200." in written
    assert not any(token in line for line in written)


def test_a_secret_comes_back_in_no_error(
    service: WebService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGFLOW_SECRET_TOKEN", TOKEN)
    url = service.on("/a", lambda asked: Answer(400, f"bad token {dict(asked.query)['k']}"))
    with pytest.raises(NonRetryable) as failed:
        ask(url, query={"k": "${secret:TOKEN}"})
    assert str(failed.value).endswith('answered 400 Bad Request: "bad token ***".')
    for path in (f"{url}/${{secret:TOKEN}}", "http://no.invalid/${secret:TOKEN}"):
        with pytest.raises(StepError) as told:
            ask(path)
        assert "s3cr" not in "".join(traceback.format_exception(told.value))


def test_a_secret_is_cut_out_before_an_error_is_cut_short(
    service: WebService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGFLOW_SECRET_TOKEN", PLAIN_TOKEN)
    for length in range(185, 200):
        url = service.on("/a", Answer(400, "x" * length + PLAIN_TOKEN))
        assert "s3c" not in failure(NonRetryable, url, headers={"X": "${secret:TOKEN}"})


def test_a_secret_may_come_from_a_resource(service: WebService) -> None:
    url = service.on("/a", echo)

    resources = SimpleNamespace(pgflow_secrets={"TOKEN": PLAIN_TOKEN, "_hidden": "x"})
    ask(url, headers={"X-A": "${secret:TOKEN}"}, resources=resources)
    assert service.asked[0].headers["x-a"] == PLAIN_TOKEN
    assert 'no secret "_hidden"' in failure(
        NonRetryable, url, headers={"X-A": "${secret:_hidden}"}, resources=resources
    )


def test_only_what_is_meant_as_a_secret_can_be_named(
    service: WebService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "x")
    told = failure(NonRetryable, service.url, headers={"A": "${secret:DATABASE_PASSWORD}"})
    assert told == (
        'There is no secret "DATABASE_PASSWORD" here; set the environment variable'
        " PGFLOW_SECRET_DATABASE_PASSWORD where steps run, or give the code location a resource"
        ' "pgflow_secrets" that has it.'
    )


def test_data_cannot_ask_for_a_secret(service: WebService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGFLOW_SECRET_TOKEN", PLAIN_TOKEN)
    url = service.on("/a", Answer())
    params = {
        "url": url,
        "method": "POST",
        "allow_private": True,
        "body": ["$input.x", "${$input.x}"],
    }
    output_of("http", params, flow_input={"x": "${secret:TOKEN}"})
    assert json.loads(service.asked[0].body) == ["${secret:TOKEN}", "${secret:TOKEN}"]


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
            {"url": "ftp://${$input.n}"},
            "steps.s.params.url: It must be an address that begins with",
        ),
        (
            {"url": "http://u:${$input.n}@x"},
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


@pytest.fixture
def over_tls(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebService]:
    """A service with a certificate for "localhost", not for the address of this computer."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    _tls.cache_clear()
    with web_service(CERTIFICATE) as service:
        yield service
    _tls.cache_clear()


def test_a_certificate_must_be_for_the_name_although_an_address_is_connected_to(
    over_tls: WebService,
) -> None:
    over_tls.on("/a", Answer(200, 1))
    assert ask(f"https://localhost:{over_tls.port}/a")["body"] == 1
    told = failure(HandlerFailed, f"https://127.0.0.1:{over_tls.port}/a")
    assert "CERTIFICATE_VERIFY_FAILED" in told


def test_nothing_leads_away_from_tls(over_tls: WebService, service: WebService) -> None:
    location = {"Location": service.on("/end", Answer(200, 1))}
    over_tls.on("/a", Answer(302, None, location))
    url = f"https://localhost:{over_tls.port}/a"
    assert "leads away from https" in failure(NonRetryable, url, follow_redirects=True)

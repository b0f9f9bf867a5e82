"""Where `pgflow.http` may go, and where it may be sent."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dagster_pgflow.runtime.node_types import addresses
from dagster_pgflow.runtime.node_types.exchange import _tls
from dagster_pgflow.runtime.node_types.networks import is_public
from dagster_pgflow.step_errors import HandlerFailed, NonRetryable
from tests.unit.runtime.asking import ask, failure
from tests.web_service import Answer, WebService, web_service

CERTIFICATE = Path(__file__).parents[2] / "certificates" / "localhost.pem"


@pytest.fixture(scope="module")
def running() -> Iterator[WebService]:
    with web_service() as service:
        yield service


@pytest.fixture
def service(running: WebService) -> WebService:
    running.asked.clear()
    return running


PRIVATE = (
    *("127.0.0.1", "localhost", "0.0.0.0", "127.1", "2130706433", "0x7f.0.0.1", "[::1]"),  # noqa: S104
    *("0x7f000001", "017700000001", "127.0.1", "0.1.2.3", "[::]"),
    *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]"),
    *("10.1.2.3", "192.168.0.1", "172.16.0.1", "198.18.0.1", "192.0.2.1", "240.0.0.1"),
    *("224.0.0.1", "255.255.255.255", "100.64.0.1", "[fc00::1]", "[ff02::1]", "[fec0::1]"),
    *("[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:808:808::]"),
    *("[2001:0:a:b::1]", "[2001:db8::1]", "[3fff::1]", "[4000::1]", "[100::1]", "[5f00::1]"),
)
OF_CLOUDS = (
    *("169.254.169.254", "169.254.170.2", "2852039166", "0xa9fea9fe", "[fe80::1]"),
    *("168.63.129.16", "100.100.100.200", "192.0.0.192", "[fd00:ec2::254]", "[fd20:ce::254]"),
    *("[::ffff:169.254.169.254]", "[64:ff9b::a83f:8110]", "[::169.254.169.254]"),
)


@pytest.mark.parametrize("host", PRIVATE)
def test_private_addresses_are_refused_unless_allowed(service: WebService, host: str) -> None:
    told = failure(NonRetryable, f"http://{host}:{service.port}/a", allow_private=False)
    assert "lies in no public network; say allow_private" in told
    assert service.asked == []


@pytest.mark.parametrize("allow_private", [False, True])
@pytest.mark.parametrize("host", OF_CLOUDS)
def test_where_clouds_tell_secrets_is_never_allowed(host: str, allow_private: bool) -> None:
    told = failure(NonRetryable, f"http://{host}/latest", allow_private=allow_private)
    assert "where a machine can read its own secrets; no step may go there." in told


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::808:808", "2a00:1450:4001::1"]
)
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
        'The step may not go to the host "127.0.0.1"; PGFLOW_HTTP_HOSTS lists where it may:'
        " *.example.com, api.example.org."
    )
    monkeypatch.setenv("PGFLOW_HTTP_HOSTS", "127.0.0.*")
    assert ask(url)["body"] == 1


def test_a_step_may_restrict_its_hosts_itself(service: WebService) -> None:
    url = service.on("/a", Answer(200, 1))
    told = failure(NonRetryable, url, allow_hosts=["*.example.com"])
    assert told.endswith(
        'may not go to the host "127.0.0.1"; the step\'s own allow_hosts lists where it may:'
        " *.example.com."
    )
    assert ask(url, allow_hosts=["127.0.0.1"])["body"] == 1


def test_so_it_restricts_where_redirects_lead(service: WebService) -> None:
    elsewhere = f"http://localhost:{service.port}/end"
    url = service.on("/a", Answer(302, None, {"Location": elsewhere}))
    settings = {"allow_hosts": ["127.*"], "follow_redirects": True}
    assert 'may not go to the host "localhost"' in failure(NonRetryable, url, **settings)
    assert [asked.path for asked in service.asked] == ["/a"]


def test_the_next_address_of_a_host_is_tried(
    service: WebService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of them may take all of the time, such as one that never says a word."""
    service.on("/a", Answer(200, 1))
    real = socket.getaddrinfo

    def several(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        return [
            answer
            for address in ("192.0.2.1", "127.0.0.2", "127.0.0.1")
            for answer in real(address, port, *args, **kwargs)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", several)
    assert ask(f"http://several.example:{service.port}/a", timeout=10)["body"] == 1


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

"""Values in the addresses of `pgflow.http` keep to their places."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_pgflow.expressions.references import params_filled
from dagster_pgflow.step_errors import NonRetryable, ReferenceFailed
from tests.unit.runtime.nodes import output_of
from tests.web_service import Answer, Asked, WebService, web_service


@pytest.fixture(scope="module")
def running() -> Iterator[WebService]:
    with web_service() as service:
        yield service


@pytest.fixture
def service(running: WebService) -> WebService:
    running.asked.clear()
    return running


def asked(service: WebService, url: str, value: Any, **params: Any) -> Asked | str:
    """Returns what arrives for a template, or why nothing does."""
    params = {"url": url, "allow_private": True, "expected_status": ["2xx", 404], **params}
    try:
        output_of("http", params, flow_input={"x": value, "y": "z"})
    except NonRetryable as error:
        assert service.asked == []
        return str(error)
    [one] = service.asked
    return one


LEADS_ELSEWHERE = (
    *("../../admin", "..", ".", "a/../../b", "..\\..\\admin", "%2e%2e/", "%2e%2e%2fadmin", ".%2e"),
    *("%252e%252e%252fadmin", "..;/admin", "a/..;x=1/b", "./admin", "/..", "..%00/", ".. /x"),
    *("..\x00/x", "‥/admin", "．．/admin", "x/.", "\\..", "..%5cadmin"),
)


@pytest.mark.parametrize("value", LEADS_ELSEWHERE)
def test_a_value_that_would_lead_to_another_path_is_refused(
    service: WebService, value: str
) -> None:
    """Although it is encoded: some services, and what stands before them, resolve it then, too."""
    told = asked(service, f"{service.url}/cities/${{$input.x}}/forecast", value)
    assert isinstance(told, str)
    assert "params.url: $input.x has a" in told
    assert "would lead elsewhere than the url says." in told


STAYS = {
    "x?admin=1#": "x%3Fadmin%3D1%23",
    "a/b": "a%2Fb",
    "//evil.example/": "%2F%2Fevil.example%2F",
    "\\evil": "%5Cevil",
    "a;b=c": "a%3Bb%3Dc",
    "@evil:80": "%40evil%3A80",
    "100%": "100%25",
    "%2f": "%252f",
    "a b+c": "a%20b%2Bc",
    "a\r\nHost: evil": "a%0D%0AHost%3A%20evil",
    "\x00\x7f": "%00%7F",
    "Zürich 🏔": "Z%C3%BCrich%20%F0%9F%8F%94",
    "...": "...",
    "St. Gallen": "St.%20Gallen",
    ".well-known": ".well-known",
    "1..2": "1..2",
    "${secret:TOKEN}": "%24%7Bsecret%3ATOKEN%7D",
    7: "7",
    True: "true",
}


@pytest.mark.parametrize("value", STAYS)
def test_any_other_value_stays_in_its_segment(service: WebService, value: Any) -> None:
    got = asked(service, f"{service.url}/cities/${{$input.x}}/forecast", value)
    assert isinstance(got, Asked), got
    assert got.path == f"/cities/{STAYS[value]}/forecast"
    assert got.query == []


def test_an_empty_value_makes_no_other_path(service: WebService) -> None:
    """Who deletes one order must not delete all of them."""
    for url in ("/orders/${$input.x}", "/a/${$input.x}/b", "/orders/${$input.x}?all=${$input.y}"):
        told = asked(service, f"{service.url}{url}", "", method="DELETE")
        assert "params.url: $input.x is empty, and would make another path" in str(told)
    got = asked(service, f"{service.url}/a${{$input.x}}/b?q=${{$input.x}}", "")
    assert isinstance(got, Asked)
    assert (got.path, got.query) == ("/a/b", [("q", "")])


@pytest.mark.parametrize("value", ["a&b=c", "#x", "a b", "ü/?", "../..", "\r\n", "a+b", "%41"])
def test_a_value_behind_the_question_mark_is_one_value(service: WebService, value: str) -> None:
    got = asked(service, f"{service.url}/a?q=${{$input.x}}&n=1", value)
    assert isinstance(got, Asked)
    assert (got.path, got.query) == ("/a", [("q", value), ("n", "1")])
    service.asked.clear()
    got = asked(service, f"{service.url}/a?n=1", None, query={"q": "$input.x"} | {"q": value})
    assert isinstance(got, Asked)
    assert got.query == [("n", "1"), ("q", value)]


@pytest.mark.parametrize(
    "url",
    [
        "$input.x",
        "${$input.x}",
        "http://${$input.x}/a",
        "http://${$input.x}.example.org/a",
        "http://example.org${$input.x}/a",
        "http://example.org:${$input.x}/a",
        "http${$input.x}://example.org/a",
        "//${$input.x}/a",
        "http://example.org\\${$input.x}",
        "http:/${$input.x}",
    ],
)
def test_data_says_no_host_unless_the_definition_says_which(service: WebService, url: str) -> None:
    told = asked(service, url, f"http://127.0.0.1:{service.port}/a")
    assert "$input.x would say which host the step goes to; write the host into the url, or" in str(
        told
    )


def test_data_may_say_which_of_the_listed_hosts(service: WebService) -> None:
    url = service.on("/a", Answer(200, 1))
    for value in (url, f"HTTP://127.0.0.1:{service.port}/a"):
        service.asked.clear()
        got = asked(service, "$input.x", value, allow_hosts=["127.0.0.1"])
        assert isinstance(got, Asked)
        assert got.path == "/a"
    service.asked.clear()
    value = f"0.1:{service.port}"
    got = asked(service, "http://127.0.${$input.x}/${$input.y}", value, allow_hosts=["127.0.0.*"])
    assert isinstance(got, Asked)
    assert got.path == "/z"


@pytest.mark.parametrize(
    "value",
    [
        "http://evil.example/",
        "http://127.0.0.1.evil.example/",
        "http://evil.example\\@127.0.0.1/",
        "http://evil.example#@127.0.0.1/",
        "http://evil.example?@127.0.0.1/",
        "http://127.0.0.1@evil.example/",
        "http://2130706433/",
        "http://%31%32%37.0.0.1/",
        "http:evil.example",
        "http:///evil.example",
        "file:///etc/passwd",
        "",
    ],
)
def test_and_no_other_in_whatever_way_it_is_written(service: WebService, value: str) -> None:
    told = asked(service, "${$input.x}", value, allow_hosts=["127.0.0.1"])
    assert isinstance(told, str), told


@pytest.mark.parametrize("value", ["a/b", "a@b", "a?b", "a#b", "a\\b", "a b", "", "%41", "a\nb"])
def test_a_part_of_a_host_is_no_more_than_that(service: WebService, value: str) -> None:
    told = asked(service, "http://a.${$input.x}.example/", value, allow_hosts=["*"])
    assert "$input.x is not part of a host name" in str(told)


def test_a_lone_surrogate_is_told(service: WebService) -> None:
    assert "lone surrogate" in str(asked(service, f"{service.url}/${{$input.x}}", "\ud800"))


def test_a_secret_is_put_in_as_it_is(service: WebService, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the word of who runs the service, and often more than one segment, or all of it."""
    monkeypatch.setenv("PGFLOW_SECRET_HOOK", "T1/B2/x?y=1")
    got = asked(service, f"{service.url}/${{secret:HOOK}}&z=${{$input.x}}", "a/b")
    assert isinstance(got, Asked)
    assert (got.path, got.query) == ("/T1/B2/x", [("y", "1"), ("z", "a/b")])
    service.asked.clear()
    monkeypatch.setenv("PGFLOW_SECRET_BASE", f"{service.url}/v1")
    got = asked(service, "${secret:BASE}/${$input.x}", "a/b")
    assert isinstance(got, Asked)
    assert got.path == "/v1/a%2Fb"


PIECES = st.sampled_from(["../", "..", ".", "/", "\\", "%2e", "%2F", ";", "?", "#", "@", ":", "a"])
VALUES = st.lists(PIECES | st.text(max_size=3), max_size=6).map("".join)


@given(VALUES, VALUES)
def test_whatever_is_put_in_the_author_says_where_it_goes(path: str, query: str) -> None:
    template = "https://e.org/a/${$input.p}/b?c=${$input.q}&d"
    try:
        values = {"input": {"p": path, "q": query}}
        url = params_filled({"url": template}, values, str, frozenset({"url"}))["url"]
    except ReferenceFailed:
        return
    before, between = "https://e.org/a/", "/b?c="
    segment, found, rest = url.removeprefix(before).partition(between)
    assert url.startswith(before)
    assert found
    assert unquote(segment) == path
    assert unquote(rest.removesuffix("&d")) == query
    assert not set("/?#\\@:;&\r\n ") & {*segment, *rest.removesuffix("&d")}

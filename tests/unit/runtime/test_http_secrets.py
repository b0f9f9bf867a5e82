"""Secrets arrive where they are meant to, and come back from nowhere."""

import codecs
import html
import json
import logging
import traceback
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from types import SimpleNamespace
from urllib.parse import quote, quote_plus

import pytest

from dagster_pgflow.runtime.secrets import without_secrets
from dagster_pgflow.step_errors import NonRetryable, StepError
from tests.unit.runtime.asking import ask, failure
from tests.unit.runtime.nodes import output_of
from tests.web_service import Answer, Asked, WebService, web_service

TOKEN = "s3cr/et+t0ken= &é"
PLAIN_TOKEN = "s3cr3tt0ken"


@pytest.fixture(scope="module")
def running() -> Iterator[WebService]:
    with web_service() as service:
        yield service


@pytest.fixture
def service(running: WebService) -> WebService:
    running.asked.clear()
    return running


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
    assert not any(token in line for line in caplog.messages)


def spelled(secret: str) -> list[str]:
    """Returns a secret as services may send it back."""
    raw = secret.encode()
    as_json = json.dumps(secret)[1:-1]
    return [
        secret,
        secret.upper(),
        as_json,
        as_json.replace("/", "\\/"),
        json.dumps(as_json)[1:-1],
        "".join(f"\\U{ord(one):08X}" for one in secret),
        "".join(f"&#{ord(one)};" for one in secret),
        "".join(f"&#x{ord(one):04X};" for one in secret),
        html.escape(secret),
        quote(secret, safe=""),
        quote(secret, safe="").lower(),
        quote(quote(secret)),
        quote_plus(secret),
        "".join(f"%{byte:02x}" for byte in raw),
        secret[:3] + quote(secret[3:6], safe="") + secret[6:].replace("%", "%25"),
        repr(raw)[2:-1],
        raw.hex().upper(),
    ]


def packed(secret: str) -> list[str]:
    """Returns a secret in Base64 as services may send it back, with others around it."""
    return [
        pack(f"{user}{secret}{end}".encode()).decode().rstrip(padding)
        for user in ("", "u:", "me:", "you:")
        for end in ("", "!", "!!")
        for pack in (b64encode, urlsafe_b64encode)
        for padding in ("", "=")
    ]


@pytest.mark.parametrize(
    "token", [TOKEN, PLAIN_TOKEN, "a\\b&<'\"c/d\n%25", "pass word", "Ünïcode🔑"]
)
def test_no_spelling_of_a_secret_comes_back_in_an_output(
    service: WebService, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("PGFLOW_SECRET_TOKEN", token)
    for text in spelled(token):
        body = Answer(200, f"({text})".encode(), {"Content-Type": "text/plain"})
        told = ask(service.on("/a", body), query={"k": "${secret:TOKEN}"})["body"]
        assert told == "(***)", text
    for text in packed(token):
        assert "***" in without_secrets(text, [token])
        assert len(without_secrets(text, [token])) < len(text) / 2 + 8


def test_neither_does_one_that_is_a_key(service: WebService) -> None:
    assert without_secrets({"a/b": ["A%2Fb", 12]}, ["a/b", "12"]) == {"***": ["***", "***"]}


def test_other_texts_stay_as_they_are() -> None:
    text = "100%25 &amp; \\n &bogus; %zz \\u12 &#99999999; \\ud83d \\U0fffffff İ %"
    assert without_secrets(text, ["s3cret", ""]) == text
    assert without_secrets(f"{text} S3CRET {text}", ["s3cret"]) == f"{text} *** {text}"
    assert without_secrets("ababab-abab", ["abab"]) in ("***ab-***", "***-***")


def test_what_a_service_says_is_not_quoted_when_a_secret_was_sent(
    service: WebService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it does not matter how the secret is spelled in it, or where it is cut short."""
    monkeypatch.setenv("PGFLOW_SECRET_TOKEN", TOKEN)
    url = service.on("/a", lambda asked: Answer(400, f"bad token {dict(asked.query)['k']}"))
    told = failure(NonRetryable, url, query={"k": "${secret:TOKEN}"})
    assert told.endswith(
        f"GET {url} answered 400 Bad Request; what it said is not shown, since a secret was sent."
    )
    service.on("/a", Answer(400))
    told = failure(NonRetryable, url, query={"k": "${secret:TOKEN}"})
    assert told.endswith(f"GET {url} answered 400 Bad Request.")


def rot13(secret: str) -> str:
    """A spelling that nobody looks for."""
    return codecs.encode(secret, "rot13")


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, rot13(PLAIN_TOKEN)),
        Answer(302, None, {"Location": f"http://localhost:1/{rot13(PLAIN_TOKEN)}"}),
        Answer(302, None, {"Location": f"http://{rot13(PLAIN_TOKEN)}.invalid/x"}),
        Answer(302, None, {"Location": f"ftp://{rot13(PLAIN_TOKEN)}/x"}),
        Answer(302, None, {"Location": f"http://[{rot13(PLAIN_TOKEN)}/x"}),
        Answer(200, b"\x00", {"Content-Type": f"x/{rot13(PLAIN_TOKEN)}"}),
        Answer(200, b"x", {"Content-Encoding": rot13(PLAIN_TOKEN)}),
        Answer(503, None, {"Retry-After": rot13(PLAIN_TOKEN)}),
    ],
)
def test_nothing_that_a_service_says_is_quoted_then(
    service: WebService, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    monkeypatch.setenv("PGFLOW_SECRET_TOKEN", PLAIN_TOKEN)
    url = service.on("/a", answer)
    with pytest.raises(StepError) as failed:
        ask(url, headers={"X": "${secret:TOKEN}"}, follow_redirects=True)
    told = "".join(traceback.format_exception(failed.value))
    assert rot13(PLAIN_TOKEN) not in told.replace("\n", "")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/${secret:TOKEN}",
        "http://127.0.0.1:1/x?k=${secret:TOKEN}",
        "http://${secret:TOKEN}.invalid/",
        "http://${secret:TOKEN}:x/",
        "https://127.0.0.1:1/#${secret:TOKEN}",
        "${secret:TOKEN}",
    ],
)
@pytest.mark.parametrize("token", [TOKEN, "S3cr3tT0ken", "http://S3cr3tT0ken.invalid/a?b"])
def test_an_address_that_holds_a_secret_is_shown_without_it(
    monkeypatch: pytest.MonkeyPatch, url: str, token: str
) -> None:
    monkeypatch.setenv("PGFLOW_SECRET_TOKEN", token)
    with pytest.raises(StepError) as failed:
        ask(url)
    assert "s3cr" not in "".join(traceback.format_exception(failed.value)).lower()


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

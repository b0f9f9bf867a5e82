"""Secrets arrive where they are meant to, and come back from nowhere."""

import json
import logging
import traceback
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from dagster_pgflow.errors import NonRetryable, StepError
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
    # With its own debug log turned on, httpcore shows the headers of each answer.
    written = [line for line in caplog.messages if "receive_response_headers.complete" not in line]
    assert written
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

"""`pgflow.http`: asks a web service.

It builds on the transport of httpx alone. A client would log addresses, which may hold secrets,
read proxies and passwords from its surroundings, and look names up by itself.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from ssl import SSLContext
from typing import Any, Final

import httpx

from dagster_pgflow.errors import HttpFailed, NonRetryable, RetryAfter, StepError
from dagster_pgflow.node_types.http import HttpConfig
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.runtime.node_types.addresses import addresses_of
from dagster_pgflow.runtime.secrets import without_secrets
from dagster_pgflow.version import __version__

MOST_REDIRECTS: Final = 10
SHOWN_LENGTH: Final = 200
MARGIN: Final = 0.9
"""How much of the step's timeout a request may use, so that it ends before it is left alone."""

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
TRANSIENT: Final = frozenset({408, 429})
PATIENT: Final = frozenset({429, 503})
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
KEPT_ELSEWHERE: Final = frozenset({"accept", "accept-language", "content-type", "user-agent"})
"""The headers that another host may see, when a service sends us there."""


@dataclass(frozen=True)
class Call:
    """One request of a step, and what it may cost.

    Attributes:
        method: The method.
        url: The address.
        headers: The headers by lower-case name.
        content: What is sent.
        deadline: When it must be over, on the monotonic clock.
    """

    method: str
    url: httpx.URL
    headers: Mapping[str, str]
    content: bytes
    deadline: float

    @property
    def shown(self) -> str:
        """The request as a text for people, without the query."""
        return f"{self.method} {self.url.copy_with(query=None, fragment=None)}"

    @property
    def origin(self) -> tuple[str, str, int | None]:
        """Whom it goes to."""
        return self.url.scheme, self.url.host, self.url.port

    @property
    def seconds_left(self) -> float:
        """How long it may still take.

        Raises:
            HttpFailed: It took too long.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise HttpFailed(f"{self.shown} took longer than its timeout.")
        return left


@dataclass(frozen=True)
class Answer:
    """What a service answered.

    Attributes:
        status: The status.
        headers: The headers by lower-case name.
        content: What it sent.
        text: The same as text, or `None` if it is none.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes
    text: str | None


def ask(_value: Any, ctx: StepContext) -> dict[str, Any]:
    """Ask a web service; the output is `{status, headers, body}`, JSON as what it says."""
    config: HttpConfig = ctx.params
    call = _first_call(config, ctx)
    for _ in range(MOST_REDIRECTS + 1):
        answer = _answer_to(call, config)
        following = _following(call, answer) if config.follow_redirects else None
        if following is None:
            return _output(call, answer, config, ctx)
        call = following
    raise NonRetryable(f"{call.shown} is the end of more than {MOST_REDIRECTS} redirects.")


def _first_call(config: HttpConfig, ctx: StepContext) -> Call:
    headers = {"accept": "*/*", "user-agent": f"dagster-pgflow/{__version__}"}
    content, kind = _content(config.body)
    if kind:
        headers["content-type"] = kind
    if config.method not in SAFE_METHODS:
        headers["idempotency-key"] = ctx.idempotency_key
    headers |= {name.lower(): value for name, value in config.headers.items()}
    try:
        url = httpx.URL(config.url)
        query = {name: value for name, value in config.query.items() if value is not None}
        url = url.copy_merge_params(query) if query else url
    except (httpx.InvalidURL, UnicodeError):
        raise NonRetryable("The url is no address of a web service.") from None
    timeout = min(config.timeout or ctx.timeout, ctx.timeout * MARGIN)
    return Call(config.method, url, headers, content, time.monotonic() + timeout)


def _content(body: Any) -> tuple[bytes, str]:
    match body:
        case None:
            return b"", ""
        case str():
            return body.encode(), "text/plain; charset=utf-8"
        case _:
            return json.dumps(body, ensure_ascii=False).encode(), "application/json"


def _answer_to(call: Call, config: HttpConfig) -> Answer:
    """Send a request to the first address of its host that answers.

    Raises:
        NonRetryable: It may not be sent, or the answer is too long.
        HttpFailed: There is no answer.
    """
    host, port = call.url.raw_host.decode("ascii"), call.url.port or _port(call.url)
    failure: StepError = HttpFailed(f'The host "{host}" has no address.')
    for address in addresses_of(host, port, allow_private=config.allow_private):
        try:
            return _sent(call, address, config.max_response_bytes)
        except httpx.ConnectError as error:
            failure = HttpFailed(f"{call.shown} cannot connect: {_reason(error)}.")
        except httpx.TimeoutException:
            raise HttpFailed(f"{call.shown} took longer than its timeout.") from None
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise HttpFailed(f"{call.shown} got no answer: {_reason(error)}.") from None
    raise failure


def _sent(call: Call, address: str, most_bytes: int) -> Answer:
    request = httpx.Request(
        call.method,
        call.url.copy_with(host=address),
        headers={**call.headers, "host": call.url.netloc.decode("ascii")},
        content=call.content or None,
        extensions={
            "timeout": httpx.Timeout(call.seconds_left).as_dict(),
            "sni_hostname": call.url.raw_host.decode("ascii"),
        },
    )
    with httpx.HTTPTransport(verify=_tls()) as transport, _closed(transport, request) as response:
        content = bytearray()
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) > most_bytes:
                raise NonRetryable(
                    f"{call.shown} answered with more than {most_bytes} bytes; raise"
                    " max_response_bytes, or ask for less."
                )
            _ = call.seconds_left
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, bytes(content), _text(response, bytes(content)))


@contextmanager
def _closed(transport: httpx.BaseTransport, request: httpx.Request) -> Iterator[httpx.Response]:
    response = transport.handle_request(request)
    response.request = request
    try:
        yield response
    finally:
        response.close()


@cache
def _tls() -> SSLContext:
    return httpx.create_ssl_context()


def _port(url: httpx.URL) -> int:
    return 443 if url.scheme == "https" else 80


def _reason(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__


def _following(call: Call, answer: Answer) -> Call | None:
    """Return the request that an answer asks for, if it does.

    Raises:
        NonRetryable: It must not be sent.
    """
    if answer.status not in REDIRECTS or "location" not in answer.headers:
        return None
    try:
        url = call.url.join(answer.headers["location"])
    except httpx.InvalidURL:
        raise NonRetryable(f"{call.shown} leads to what is no address.") from None
    becomes_get = answer.status == 303 or (answer.status < 303 and call.method == "POST")
    following = replace(call, url=url.copy_with(userinfo=b""))
    if becomes_get and call.method != "HEAD":
        headers = {k: v for k, v in call.headers.items() if k != "content-type"}
        following = replace(following, method="GET", content=b"", headers=headers)
    if url.scheme not in ("http", "https") or (url.scheme, call.url.scheme) == ("http", "https"):
        raise NonRetryable(f"{call.shown} leads away from https, to {following.shown}.")
    if following.origin == call.origin:
        return following
    if following.content:
        raise NonRetryable(
            f"{call.shown} leads to another host, {following.shown}, which must not get the body;"
            " ask that host itself."
        )
    kept = {name: value for name, value in call.headers.items() if name in KEPT_ELSEWHERE}
    return replace(following, headers=kept)


def _output(call: Call, answer: Answer, config: HttpConfig, ctx: StepContext) -> dict[str, Any]:
    """Return what the step makes of an answer.

    Raises:
        RetryAfter: The service asks for patience.
        HttpFailed: It did not answer as expected, and may the next time.
        NonRetryable: It will not.
    """
    if not _is_expected(answer.status, config):
        raise _unexpected(call, answer, ctx)
    body = answer.text or None
    if answer.content and answer.text is None:
        kind = answer.headers.get("content-type", "bytes")
        raise NonRetryable(f"{call.shown} answered with {kind}, which is neither JSON nor text.")
    if body is not None and "json" in answer.headers.get("content-type", "").lower():
        body = _parsed(body)
    return {"status": answer.status, "headers": dict(answer.headers), "body": body}


def _is_expected(status: int, config: HttpConfig) -> bool:
    return status in config.expected_status or f"{status // 100}xx" in config.expected_status


def _unexpected(call: Call, answer: Answer, ctx: StepContext) -> StepError:
    said = without_secrets(" ".join((answer.text or "").split()), ctx.secrets)
    excerpt = f": {said[:SHOWN_LENGTH]}" if said else ""
    told = f"{call.shown} answered {answer.status} {_phrase(answer.status)}".rstrip() + excerpt
    told = told.rstrip(".") + "."
    seconds = _seconds_to_wait(answer.headers.get("retry-after", ""))
    if answer.status in PATIENT and seconds is not None:
        return RetryAfter(seconds, told)
    may_change = answer.status in TRANSIENT or answer.status >= 500 or answer.status < 300
    return HttpFailed(told) if may_change else NonRetryable(told)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _seconds_to_wait(header: str) -> float | None:
    """Return what a `Retry-After` says: a number of seconds, or a date."""
    if header.isascii() and header.isdecimal() and len(header) < 10:
        return float(header)
    try:
        return max(parsedate_to_datetime(header).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return None


def _text(response: httpx.Response, content: bytes) -> str | None:
    try:
        text = content.decode(response.charset_encoding or "utf-8")
    except (UnicodeError, LookupError):
        return None
    return None if "\x00" in text else text


def _parsed(text: str) -> Any:
    """Return the JSON of a text, or the text if it is none after all."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


def _refuse(constant: str) -> None:
    raise ValueError(constant)

"""`pgflow.http`: asks a web service.

It builds on sockets of its own. A client would log addresses, which may hold secrets, read proxies
and passwords from its surroundings, look names up by itself, and wait anew for each byte.
"""

import json
import math
import re
import time
from dataclasses import replace
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

import httpx

from dagster_pgflow.node_types.http import HttpConfig
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.runtime.node_types.addresses import targets_of
from dagster_pgflow.runtime.node_types.call import HIDDEN_ADDRESS, HttpAnswer, HttpCall
from dagster_pgflow.runtime.node_types.exchange import exchange
from dagster_pgflow.runtime.node_types.unpacking import ACCEPTED, text_of
from dagster_pgflow.runtime.secrets import HIDDEN
from dagster_pgflow.step_errors import HttpFailed, NonRetryable, RetryAfter, StepError
from dagster_pgflow.version import __version__

MOST_REDIRECTS: Final = 10
SHOWN_LENGTH: Final = 200
MARGIN: Final = 0.9
"""How much of the step's timeout a request may use, so that it ends before it is left alone."""

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
TRANSIENT: Final = frozenset({408, 429})
PATIENT: Final = frozenset({429, 503})
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
KEPT_ELSEWHERE: Final = frozenset(
    {"accept", "accept-encoding", "accept-language", "content-type", "user-agent"}
)
"""The headers that another host may see, when a service sends us there."""

_QUERY: Final = re.compile(r"[?#]")


def ask(_value: Any, ctx: StepContext) -> dict[str, Any]:
    """Ask a web service; the output is `{status, headers, body}`, JSON as what it says."""
    config: HttpConfig = ctx.params
    call = _first_call(config, ctx)
    for _ in range(MOST_REDIRECTS + 1):
        targets = targets_of(
            call, allow_private=config.allow_private, allow_hosts=config.allow_hosts
        )
        answer = exchange(call, targets, config.max_response_bytes)
        following = _following(call, answer) if config.follow_redirects else None
        if following is None:
            return _output(call, answer, config)
        call = following
    raise NonRetryable(f"{call.shown} is the end of more than {MOST_REDIRECTS} redirects.")


def _first_call(config: HttpConfig, ctx: StepContext) -> HttpCall:
    headers = {
        "accept": "*/*",
        "accept-encoding": ACCEPTED,
        "user-agent": f"dagster-pgflow/{__version__}",
    }
    content, kind = _content(config.body)
    if kind:
        headers["content-type"] = kind
    if config.method not in SAFE_METHODS:
        headers["idempotency-key"] = ctx.idempotency_key
    headers |= {name.lower(): value.strip() for name, value in config.headers.items()}
    timeout = min(config.timeout or ctx.timeout, ctx.timeout * MARGIN)
    return HttpCall(
        config.method,
        _address(config),
        _shown(config.url, ctx.secrets),
        headers,
        content,
        time.monotonic() + timeout,
        discreet=bool(ctx.secrets),
    )


def _address(config: HttpConfig) -> httpx.URL:
    try:
        url = httpx.URL(config.url)
        query = {name: value for name, value in config.query.items() if value is not None}
        url = url.copy_merge_params(query) if query else url
    except (httpx.InvalidURL, UnicodeError):
        raise NonRetryable("The url is no address of a web service.") from None
    if url.scheme not in ("http", "https") or not url.raw_host or url.userinfo:
        raise NonRetryable("The url is no address of a web service.")
    return url


def _shown(url: str, secrets: tuple[str, ...]) -> str:
    """Return an address for people; the secrets are still in it as they were put in."""
    for secret in sorted(secrets, key=len, reverse=True):
        url = url.replace(secret, HIDDEN)
    return _QUERY.split(url, maxsplit=1)[0]


def _content(body: Any) -> tuple[bytes, str]:
    match body:
        case None:
            return b"", ""
        case str():
            return body.encode(), "text/plain; charset=utf-8"
        case _:
            return json.dumps(body, ensure_ascii=False).encode(), "application/json"


def _following(call: HttpCall, answer: HttpAnswer) -> HttpCall | None:
    """Return the request that an answer asks for, if it does.

    Raises:
        NonRetryable: It must not be sent.
    """
    if answer.status not in REDIRECTS or "location" not in answer.headers:
        return None
    try:
        url = call.url.join(answer.headers["location"]).copy_with(userinfo=b"", fragment=None)
    except (httpx.InvalidURL, UnicodeError, ValueError):
        raise NonRetryable(f"{call.shown} leads to what is no address.") from None
    shown = HIDDEN_ADDRESS if call.discreet else str(url.copy_with(query=None))
    following = replace(call, url=url, shown_url=shown)
    becomes_get = answer.status == 303 or (answer.status < 303 and call.method == "POST")
    if becomes_get and call.method != "HEAD":
        headers = {k: v for k, v in call.headers.items() if k != "content-type"}
        following = replace(following, method="GET", content=b"", headers=headers)
    if not url.raw_host or url.scheme not in ("http", "https"):
        raise NonRetryable(f"{call.shown} leads to what is no address of a web service.")
    if (url.scheme, call.url.scheme) == ("http", "https"):
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


def _output(call: HttpCall, answer: HttpAnswer, config: HttpConfig) -> dict[str, Any]:
    """Return what the step makes of an answer.

    Raises:
        RetryAfter: The service asks to wait.
        HttpFailed: It did not answer as expected, and may the next time.
        NonRetryable: It will not.
    """
    text = text_of(answer.content, answer.kind)
    if not _is_expected(answer.status, config):
        raise _unexpected(call, answer, text)
    if answer.content and text is None:
        kind = "bytes" if call.discreet else answer.kind or "bytes"
        raise NonRetryable(f"{call.shown} answered with {kind}, which is neither JSON nor text.")
    body = _parsed(text) if text and "json" in answer.kind.lower() else text or None
    return {"status": answer.status, "headers": dict(answer.headers), "body": body}


def _is_expected(status: int, config: HttpConfig) -> bool:
    return status in config.expected_status or f"{status // 100}xx" in config.expected_status


def _unexpected(call: HttpCall, answer: HttpAnswer, text: str | None) -> StepError:
    said = "" if call.discreet else " ".join((text or "")[: 10 * SHOWN_LENGTH].split())
    excerpt = f": {said[:SHOWN_LENGTH]}" if said else ""
    if call.discreet and answer.content:
        excerpt = "; what it said is not shown, since a secret was sent"
    sentence = f"{call.shown} answered {answer.status} {_phrase(answer.status)}".rstrip() + excerpt
    sentence = sentence.rstrip(".") + "."
    seconds = _seconds_to_wait(answer.headers.get("retry-after", ""))
    if answer.status in PATIENT and seconds is not None:
        return RetryAfter(seconds, sentence)
    may_change = answer.status in TRANSIENT or answer.status >= 500 or answer.status < 300
    return HttpFailed(sentence) if may_change else NonRetryable(sentence)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _seconds_to_wait(header: str) -> float | None:
    """Return what a `Retry-After` says: a number of seconds, or a date.

    How long that may be at most, the step's `max_delay` says.
    """
    if header.isascii() and header.isdecimal() and len(header) < 10:
        return float(header)
    try:
        return max(parsedate_to_datetime(header).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError, OverflowError, IndexError, OSError):
        return None


def _parsed(text: str) -> Any:
    """Return the JSON of a text, or the text if it is none after all."""
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        return text


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _finite(number: str) -> float:
    found = float(number)
    if not math.isfinite(found):
        raise ValueError(number)
    return found

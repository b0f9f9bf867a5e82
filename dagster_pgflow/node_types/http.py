"""What a step of type `pgflow.http` says."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, field_validator

from dagster_pgflow.expressions.references import leads_where_data_says
from dagster_pgflow.node_types.config import ConfiguredStep, NodeConfig, ParamProblem

Method = Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
Scalar = str | int | float | bool | None

MOST_RESPONSE_BYTES: Final = 104_857_600
"""A hundred mebibytes: who needs more, needs a handler of their own."""

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")
_OWN_HEADERS: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "upgrade"}
)
_HOST_PATTERN: Final = re.compile(r"[\w.*:\[\]-]+")
_STATUS_CLASS: Final = re.compile(r"[1-5]xx")


def _upper(given: Any) -> Any:
    return given.upper() if isinstance(given, str) else given


class HttpConfig(NodeConfig):
    """The config of a step that asks a web service.

    Attributes:
        url: The address; `${secret:NAME}` in it, and in all that follows, stands for a secret.
        method: The method.
        headers: What the request says besides.
        query: What is added to the address behind `?`; a list gives its name several times, null
            leaves it out.
        body: JSON, or text that is sent as it is.
        expected_status: What the service may answer: numbers, or classes such as "2xx".
        timeout: Seconds for the whole of it; at most, and without it, the step's.
        max_response_bytes: How long the answer may be.
        follow_redirects: Whether to go where the service sends us.
        allow_private: Whether the address may lie in a private network or be this computer.
        allow_hosts: The hosts that the step may go to, `*` for any part; where the host comes from
            data they must be said.
    """

    literal: ClassVar[frozenset[str]] = frozenset({"allow_hosts", "allow_private"})
    addresses: ClassVar[frozenset[str]] = frozenset({"url"})

    examples: ClassVar[Mapping[str, Any]] = {
        "url": "https://example.org/orders/${$input.order_id}",
        "headers": {"Authorization": "Bearer ${secret:SHOP_TOKEN}"},
        "query": {"limit": 100},
        "body": {"amount": "$nodes.price.total"},
        "expected_status": ["2xx", 404],
        "timeout": 10,
        "max_response_bytes": 1000000,
        "allow_hosts": ["*.example.org"],
        "method": "POST",
    }

    url: str
    method: Annotated[Method, BeforeValidator(_upper)] = "GET"
    headers: dict[str, str] = Field(default_factory=dict)
    query: dict[str, Any] = Field(default_factory=dict)
    body: Any = None
    expected_status: tuple[int | str, ...] = Field(default=("2xx",), min_length=1)
    timeout: float | None = Field(default=None, gt=0)
    max_response_bytes: int = Field(default=1_048_576, gt=0, le=MOST_RESPONSE_BYTES)
    follow_redirects: bool = False
    allow_private: bool = False
    allow_hosts: tuple[str, ...] = ()

    @field_validator("url")
    @classmethod
    def _is_web_address(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise ValueError("It must be an address such as https://example.org/path") from None
        if parts.scheme.lower() not in ("http", "https") or not host:
            raise ValueError("It must be an address that begins with https:// or http://")
        if parts.username is not None or parts.password is not None:
            raise ValueError(
                "It must hold no user and password; put them into a header, as secrets"
            )
        return url

    @field_validator("allow_hosts")
    @classmethod
    def _are_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not _HOST_PATTERN.fullmatch(host):
                raise ValueError(
                    "Each must be the name of a host, with * for any part, such as *.example.org"
                )
        return hosts

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError(f'"{name}" is not the name of a header')
            if name.lower() in _OWN_HEADERS:
                raise ValueError(f'The header "{name}" cannot be set; it follows from the request')
            if not _HEADER_VALUE.fullmatch(value):
                raise ValueError(f'The header "{name}" must be one line of ASCII text')
        return headers

    @field_validator("query")
    @classmethod
    def _is_query(cls, query: dict[str, Any]) -> dict[str, Any]:
        for name, value in query.items():
            values = value if isinstance(value, list) else [value]
            if not all(isinstance(one, Scalar) for one in values):
                raise ValueError(f'"{name}" must be text, a number, true, false, null, or a list')
        return query

    @field_validator("expected_status", mode="before")
    @classmethod
    def _are_statuses(cls, given: Any) -> Any:
        statuses = given if isinstance(given, list | tuple) else [given]
        if not all(_is_status(status) for status in statuses):
            raise ValueError('It must be a status such as 201, a class such as "2xx", or a list')
        return [int(one) if str(one).isdecimal() else one for one in statuses]

    @classmethod
    def problems_as_written(cls, params: Mapping[str, Any]) -> Iterator[ParamProblem]:
        """Yield what is wrong with params whatever values their references will have."""
        url = params.get("url")
        source = leads_where_data_says(url) if isinstance(url, str) else None
        if source is not None and not params.get("allow_hosts"):
            message = (
                f"{source} would say which host the step goes to; write the host into the url, or"
                ' list in allow_hosts where it may lead, such as ["api.example.org"].'
            )
            yield ParamProblem("host-from-data", "url", message)

    def problems(self, site: ConfiguredStep) -> Iterator[ParamProblem]:
        """Yield what is wrong besides what the types of the fields say."""
        if self.timeout is not None and self.timeout > site.timeout:
            message = (
                f"The request may take {self.timeout:g} s, but an attempt of the step only"
                f" {site.timeout:g} s; lower this one, or raise the timeout of the step."
            )
            yield ParamProblem("timeout-too-long", "timeout", message)


def _is_status(given: Any) -> bool:
    text = str(given)
    if isinstance(given, bool) or not text.isascii():
        return False
    return bool(_STATUS_CLASS.fullmatch(text)) or (text.isdecimal() and 100 <= int(text) <= 599)

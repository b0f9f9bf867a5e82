"""What an http step asks, what it is answered, and how long both may take."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx

from dagster_pgflow.runtime.secrets import HIDDEN
from dagster_pgflow.step_errors import HttpFailed, StepError

HIDDEN_ADDRESS: Final = "another address"
"""What a redirect leads to, where that is hidden."""


@dataclass(frozen=True)
class HttpCall:
    """One request of a step, and what it may cost.

    Attributes:
        method: The method.
        url: The address.
        shown_url: The same for people, without the query; `***` in place of secrets.
        headers: The headers by lower-case name.
        content: What is sent.
        deadline: When all of it must be over, on the monotonic clock.
        discreet: Whether a secret is sent along, or was. A service may send it back in any form, so
            nothing of what it says is quoted then.
    """

    method: str
    url: httpx.URL
    shown_url: str
    headers: Mapping[str, str]
    content: bytes
    deadline: float
    discreet: bool

    @property
    def shown(self) -> str:
        """The request as a text for people."""
        return f"{self.method} {self.shown_url}"

    @property
    def shown_host(self) -> str:
        """The host as a text for people."""
        is_hidden = self.discreet and self.host not in self.shown_url.lower()
        return HIDDEN if is_hidden else self.host

    @property
    def host(self) -> str:
        """The host, in ASCII."""
        return self.url.raw_host.decode("ascii")

    @property
    def port(self) -> int:
        """The port."""
        return self.url.port or (443 if self.url.scheme == "https" else 80)

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
            raise self.took_too_long
        return left

    @property
    def took_too_long(self) -> StepError:
        """What is to be said behind the deadline."""
        return HttpFailed(f"{self.shown} took longer than its timeout.")


@dataclass(frozen=True)
class HttpAnswer:
    """What a service answered.

    Attributes:
        status: The status.
        headers: The headers by lower-case name.
        content: What it sent, unpacked.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def kind(self) -> str:
        """What it says that the content is."""
        return self.headers.get("content-type", "")

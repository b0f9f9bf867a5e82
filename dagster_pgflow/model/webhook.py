"""Where the ends of a flow's runs are told, for those who have no connection to the database."""

import re
from typing import ClassVar, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict

from dagster_pgflow.model.described import Examples
from dagster_pgflow.model.exact import Flag

WebhookEvent = Literal["run.completed", "run.failed", "run.cancelled", "run.waiting"]
"""What a webhook is told: that a run rests or ends."""

EVENTS: Final[tuple[WebhookEvent, ...]] = get_args(WebhookEvent)

LONGEST_URL: Final = 2000
"""Characters."""

URL: Final = re.compile(r"https?://[A-Za-z0-9._:\[\]-]+([/?][!-~]*)?")
SECRET: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


class Webhook(BaseModel):
    """A web service that is told of a flow's runs.

    Attributes:
        url: Where it is: an address that begins with https:// or http://.
        secret: The name of the secret that what is sent is signed with.
        events: What it is told (default all).
        allow_private: Whether its address may lie in a private network or be this computer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    examples: ClassVar[Examples] = {
        "url": "https://example.org/runs",
        "secret": "RUNS_SECRET",
        "events": ["run.failed"],
    }

    url: str
    secret: str
    events: tuple[WebhookEvent, ...] = EVENTS
    allow_private: Flag = False

    @property
    def has_an_address(self) -> bool:
        """Whether a request can be sent there, as far as can be seen without trying."""
        return len(self.url) <= LONGEST_URL and URL.fullmatch(self.url) is not None

    @property
    def names_a_secret(self) -> bool:
        """Whether an environment variable can be called so."""
        return SECRET.fullmatch(self.secret) is not None

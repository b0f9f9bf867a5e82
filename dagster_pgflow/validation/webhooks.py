"""A webhook has an address, and the name of a secret to sign with."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.webhook import EVENTS, LONGEST_URL, Webhook
from dagster_pgflow.validation.rule import KnownFlows

CODE = "invalid-webhook"


def webhooks_can_be_told(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check the address, the name of the secret, and that there is something to tell."""
    webhook, path = flow.options.on_event, "options.on_event"
    if webhook is None:
        return
    if not _has_an_address(webhook):
        yield Problem(
            CODE,
            f"{path}.url",
            "url must be an address such as https://example.org/hook, in ASCII, without user and"
            f" password, and of at most {LONGEST_URL} characters; nothing in it is filled in.",
        )
    if not webhook.names_a_secret:
        yield Problem(
            CODE,
            f"{path}.secret",
            "secret must be the name of a secret, such as billing, in letters, digits and"
            " underscores; the environment variable PGFLOW_SECRET_billing then has it.",
        )
    if not webhook.events:
        yield Problem(
            CODE,
            f"{path}.events",
            f"events is empty; name some of {', '.join(EVENTS)}, or leave it out for all of them.",
        )


def _has_an_address(webhook: Webhook) -> bool:
    try:
        port = urlsplit(webhook.url).port
    except ValueError:
        return False
    return webhook.has_an_address and port != 0

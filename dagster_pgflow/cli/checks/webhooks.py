"""Are the webhooks of flows told what they should be?"""

from collections.abc import Iterator

from dagster_pgflow.cli.checks.check import Check, warning
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.deliveries import Deliveries

NAME = "Webhooks"


def check_webhooks(database: Database) -> Iterator[Check]:
    """Name the flows whose webhooks fail or wait; nothing where all is told."""
    troubles = Deliveries(database).troubles()
    if not troubles:
        return
    lines = [
        f"{one.flow_slug}: {one.waiting} to be sent again or late, {one.given_up} given up within"
        f" a day. {one.error_message or 'Nobody has tried: does the projection sensor run?'}"
        for one in troubles
    ]
    yield warning(
        NAME,
        "\n".join(
            ["not all are told how runs ended; pgflow.webhook_deliveries has each delivery", *lines]
        ),
    )

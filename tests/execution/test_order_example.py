"""The order with its payment that ships: what the rows tell of three customers."""

from typing import Any

import pytest

from dagster_pgflow.examples import handlers as shipped
from dagster_pgflow.examples.order import order
from dagster_pgflow.examples.payment import CARD_LIMIT, payment
from dagster_pgflow.runtime.handlers import Handler
from tests.execution.projecting import World, world
from tests.postgres import role_name

__all__ = ["world"]

HANDLERS = {
    found.name: found.function for found in vars(shipped).values() if isinstance(found, Handler)
}
INSIDE = ["payment.validate_card", "payment.charge", "payment.receipt"]


def ordered(world: World, card_number: str, price: int) -> dict[str, Any]:
    """Returns the row of the run of an order."""
    world.define(payment, order)
    # The handlers make tables of their own, for which the right is the deployment's to give.
    name = world.sql.value("select current_database()")
    world.sql(f"grant create on database {name} to {role_name('worker')}")
    line = {"item": "coffee", "price": price}
    sent = {"order_id": "A-1", "lines": [line], "card_number": card_number, "expires": "12/39"}
    world.run("order", HANDLERS, sent)
    world.settle()
    return world.one("runs")


def test_with_a_valid_card_the_order_is_confirmed(world: World) -> None:
    run = ordered(world, "4111 1111 1111 1111", 2500)
    assert run["status"] == "completed"
    assert run["output"]["confirm"]["receipt_id"] == "R000001"
    statuses = world.by_path("status")
    assert statuses.pop("decline") == "skipped"
    assert set(statuses.values()) == {"completed"}
    assert world.one("subruns")["status"] == "completed"
    assert world.by_path("output")["payment"]["reference"] == "order A-1"


@pytest.mark.parametrize(
    ("card_number", "price", "failed_step", "inside"),
    [
        (
            "4111 1111 1111 1112",
            2500,
            "validate_card",
            ["failed", "cancelled", "cancelled"],
        ),
        (
            "4111 1111 1111 1111",
            CARD_LIMIT + 1,
            "charge",
            ["completed", "failed", "cancelled"],
        ),
    ],
)
def test_when_the_payment_fails_the_order_is_declined_and_the_run_completes(
    world: World, card_number: str, price: int, failed_step: str, inside: list[str]
) -> None:
    run = ordered(world, card_number, price)
    assert run["status"] == "completed"
    assert list(run["output"]) == ["decline"]
    assert run["output"]["decline"]["failed_step"] == failed_step
    statuses = world.by_path("status")
    assert [statuses[path] for path in INSIDE] == inside
    assert (statuses["payment"], statuses["confirm"]) == ("failed", "skipped")
    subrun = world.one("subruns")
    assert subrun["status"] == "failed"
    assert failed_step in subrun["error_message"]

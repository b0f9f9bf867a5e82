"""What the cells of the order and of its payment do, in `documents/*.edn`."""

from typing import Any

from dagster_pgflow import handler

Data = dict[str, Any]


@handler("order/prepare")
def prepare(_data: Data) -> Data:
    """Returns what is to be paid for."""
    return {"items": ["book"]}


@handler("payment/validate-card")
def validate_card(data: Data) -> Data:
    """Returns whether the number looks like that of a card."""
    return {"card-valid": data["card-number"].startswith("4")}


@handler("payment/charge-card")
def charge_card(data: Data) -> Data:
    """Returns the charge, or why there is none.

    Raises:
        ConnectionError: The bank is away, as it always is for much money.
    """
    if data["amount"] > 100_000:
        raise ConnectionError("The bank does not answer.")
    if data["amount"] > 10_000:
        return {"error-type": "declined"}
    return {"charge-id": f"ch-{data['order-id']}"}


@handler("payment/generate-receipt")
def generate_receipt(data: Data) -> Data:
    """Returns the receipt."""
    return {"receipt-id": f"r-{data['charge-id']}"}


@handler("order/send-confirmation")
def send_confirmation(data: Data) -> Data:
    """Returns what was sent."""
    return {"sent": f"{', '.join(data['items'])}: {data['receipt-id']}"}

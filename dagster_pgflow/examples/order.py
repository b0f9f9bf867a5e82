"""Flow `order`: add up what was ordered, let flow `payment` collect the money, confirm."""

from typing import Literal

from pydantic import BaseModel, Field

from dagster_pgflow import Flow, handler
from dagster_pgflow.examples.payment import Bill, Receipt, payment


class Line(BaseModel):
    """One line of an order."""

    item: str
    price: int = Field(ge=0, description="For one, in the smallest unit of the currency.")
    quantity: int = Field(default=1, ge=1)


class OrderInput(BaseModel):
    """What the shop sends."""

    order_id: str = Field(min_length=1, examples=["A-1001"])
    lines: list[Line] = Field(
        min_length=1, examples=[[{"item": "coffee", "price": 1250, "quantity": 2}]]
    )
    card_number: str = Field(examples=["4111 1111 1111 1111"])
    expires: str = Field(pattern=r"^(0[1-9]|1[0-2])/\d\d$", examples=["12/39"])
    currency: Literal["EUR", "GBP", "USD"] = "EUR"


class PaymentOutput(BaseModel):
    """The output of flow `payment`: that of its last step."""

    receipt: Receipt


class Paid(BaseModel):
    """What `confirm` receives."""

    payment: PaymentOutput


class Confirmation(BaseModel):
    """What the customer gets."""

    order: str
    receipt_id: str
    message: str


@handler("order.prepare")
def prepare(order: OrderInput) -> Bill:
    """Add up the lines."""
    return Bill(
        reference=f"order {order.order_id}",
        card_number=order.card_number,
        expires=order.expires,
        amount=sum(line.price * line.quantity for line in order.lines),
        currency=order.currency,
    )


@handler("order.confirm")
def confirm(paid: Paid) -> Confirmation:
    """Tell the customer."""
    receipt = paid.payment.receipt
    return Confirmation(
        order=receipt.reference,
        receipt_id=receipt.receipt_id,
        message=f"{receipt.text} Your {receipt.reference} is on its way.",
    )


order = (
    Flow(
        "order",
        description="Takes an order and its payment, and confirms it.",
        input_schema=OrderInput,
        base_delay=1,
    )
    .step("prepare", prepare)
    .subflow("payment", payment, depends_on="prepare")
    .step("confirm", confirm, depends_on="payment")
)

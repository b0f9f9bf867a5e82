"""Flow `order`: add up what was ordered, let flow `payment` collect the money, confirm or decline.

The payment gets the card straight from the flow input, so that no step has to hand it on. When it
fails, because the card is not valid or the bank says no, the order goes on with `decline`.
"""

from typing import Any, Literal

from pydantic import BaseModel, Field

from dagster_pgflow import Flow, handler
from dagster_pgflow.examples.payment import Receipt, payment


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


class Sum(BaseModel):
    """What the order comes to."""

    reference: str
    amount: int
    currency: Literal["EUR", "GBP", "USD"]


class Paid(BaseModel):
    """What `confirm` receives."""

    payment: Receipt


class PaymentFailure(BaseModel):
    """What became of a payment that failed."""

    error: str
    child_trace: list[dict[str, Any]]


class Unpaid(BaseModel):
    """What `decline` receives."""

    payment: PaymentFailure
    prepare: Sum


class Confirmation(BaseModel):
    """What the customer gets."""

    order: str
    receipt_id: str
    message: str


class Refusal(BaseModel):
    """What the customer gets instead."""

    order: str
    failed_step: str
    message: str


@handler("order.prepare")
def prepare(order: OrderInput) -> Sum:
    """Add up the lines."""
    return Sum(
        reference=f"order {order.order_id}",
        amount=sum(line.price * line.quantity for line in order.lines),
        currency=order.currency,
    )


@handler("order.confirm")
def confirm(paid: Paid) -> Confirmation:
    """Tell the customer."""
    receipt = paid.payment
    return Confirmation(
        order=receipt.reference,
        receipt_id=receipt.receipt_id,
        message=f"{receipt.text} Your {receipt.reference} is on its way.",
    )


@handler("order.decline")
def decline(unpaid: Unpaid) -> Refusal:
    """Tell the customer which step of the payment failed, and that nothing is on its way."""
    failed = [entry["step"] for entry in unpaid.payment.child_trace if entry["status"] == "failed"]
    # Without such a step the payment did not even begin.
    step = failed[0] if failed else "payment"
    reason = {
        "validate_card": "Please look at your card number and its expiry date.",
        "charge": "Please ask your bank, or take another card.",
    }.get(step, "Please try again later.")
    return Refusal(
        order=unpaid.prepare.reference,
        failed_step=step,
        message=f"We could not take the money for {unpaid.prepare.reference}. {reason}",
    )


order = (
    Flow(
        "order",
        description="Takes an order and its payment, and confirms or declines it.",
        input_schema=OrderInput,
        base_delay=1,
    )
    .step("prepare", prepare)
    .subflow(
        "payment",
        payment,
        depends_on="prepare",
        input={
            "reference": "$nodes.prepare.reference",
            "amount": "$nodes.prepare.amount",
            "currency": "$nodes.prepare.currency",
            "card_number": "$input.card_number",
            "expires": "$input.expires",
        },
        output="$nodes.receipt",
        on_failure="decline",
    )
    .step("confirm", confirm, depends_on="payment")
    .step("decline", decline, depends_on=["payment", "prepare"])
)

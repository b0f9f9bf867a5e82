"""Flow `payment`: check a card, charge it, write a receipt. A flow of its own, and a subflow.

The charge is booked in `pgflow_examples.ledger`, where the idempotency key of the step makes a
second booking impossible: a charge that is tried again, because its answer was lost or its
process died, finds the first one.

What a step receives and returns is stored and shown, so a real shop would hand over the token of
its card provider in place of a card number.
"""

import re
from datetime import UTC, date, datetime
from typing import Literal

from pydantic import BaseModel, Field

from dagster_pgflow import Flow, NonRetryable, StepContext, handler
from dagster_pgflow.examples.tables import example_tables

CARD_DIGITS = range(12, 20)
"""How long the numbers of payment cards are (ISO/IEC 7812)."""

CARD_LIMIT = 1_000_000
"""What the bank charges to a card at most, in the smallest unit of the currency."""


class Bill(BaseModel):
    """What is to be paid, and with which card."""

    reference: str = Field(min_length=1, description="What the money is for.")
    card_number: str = Field(description="The digits of the card; spaces do not matter.")
    expires: str = Field(pattern=r"^(0[1-9]|1[0-2])/\d\d$", description="MM/YY")
    amount: int = Field(gt=0, description="In the smallest unit of the currency, such as cents.")
    currency: Literal["EUR", "GBP", "USD"] = "EUR"


class Card(BaseModel):
    """A card that was checked; from here on nobody needs, or sees, its number."""

    reference: str
    amount: int
    currency: str
    card: str


class Checked(BaseModel):
    """What `charge` receives."""

    validate_card: Card


class Charge(BaseModel):
    """A booked charge."""

    charge_id: int
    reference: str
    amount: int
    currency: str
    card: str
    booked_at: datetime


class Charged(BaseModel):
    """What `receipt` receives."""

    charge: Charge


class Receipt(BaseModel):
    """What the payment returns."""

    receipt_id: str
    reference: str
    amount: int
    currency: str
    text: str


@handler("payment.validate_card")
def validate_card(bill: Bill, ctx: StepContext) -> Card:
    """Refuse a number that is no card's, and a card that has expired."""
    digits = re.sub(r"[ -]", "", bill.card_number)
    if not is_card_number(digits):
        raise NonRetryable(
            f'The card for "{bill.reference}" has no valid number; look for a mistyped digit.'
        )
    if has_expired(bill.expires, datetime.now(UTC).date()):
        raise NonRetryable(f'The card for "{bill.reference}" expired in {bill.expires}.')
    ctx.log.info("The card ending in %s is valid.", digits[-4:])
    return Card(
        reference=bill.reference,
        amount=bill.amount,
        currency=bill.currency,
        card=f"**** {digits[-4:]}",
    )


@handler("payment.charge")
def charge(checked: Checked, ctx: StepContext) -> Charge:
    """Book the amount once, however often this is tried."""
    card = checked.validate_card
    if card.amount > CARD_LIMIT:
        raise NonRetryable(
            f"The bank declined {card.amount / 100:.2f} {card.currency} for {card.reference}."
        )
    with example_tables(ctx) as transaction:
        transaction.run_sql(
            "insert into pgflow_examples.ledger"
            " (idempotency_key, reference, amount, currency, card)"
            " values (:key, :reference, :amount, :currency, :card)"
            " on conflict on constraint a_charge_is_booked_once do nothing",
            key=ctx.idempotency_key,
            **card.model_dump(),
        )
        [booked] = transaction.run_sql(
            "select entry_id as charge_id, reference, amount, currency, card, booked_at"
            " from pgflow_examples.ledger where idempotency_key = :key",
            key=ctx.idempotency_key,
        )
    return Charge.model_validate(dict(booked))


@handler("payment.receipt")
def receipt(charged: Charged) -> Receipt:
    """Write the receipt."""
    paid = charged.charge
    return Receipt(
        receipt_id=f"R{paid.charge_id:06}",
        reference=paid.reference,
        amount=paid.amount,
        currency=paid.currency,
        text=(
            f"Received {paid.amount / 100:.2f} {paid.currency} for {paid.reference}"
            f" by card {paid.card} on {paid.booked_at:%Y-%m-%d}. Thank you."
        ),
    )


def is_card_number(digits: str) -> bool:
    """Return whether the last digit is the one that the others demand (Luhn's rule).

    >>> is_card_number("4111111111111111"), is_card_number("4111111111111112")
    (True, False)
    """
    if not (digits.isascii() and digits.isdecimal() and len(digits) in CARD_DIGITS):
        return False
    doubled = [int(digit) * 2 for digit in digits[-2::-2]]
    return (sum(map(int, digits[::-2])) + sum(n // 10 + n % 10 for n in doubled)) % 10 == 0


def has_expired(expires: str, today: date) -> bool:
    """Return whether a card is void: it is good until the end of the month that it names.

    >>> has_expired("02/30", date(2030, 2, 28)), has_expired("02/30", date(2030, 3, 1))
    (False, True)
    """
    month, year = (int(part) for part in expires.split("/"))
    return (2000 + year, month) < (today.year, today.month)


payment = (
    Flow(
        "payment",
        description="Checks a card, charges it once, and writes a receipt.",
        input_schema=Bill,
        max_attempts=3,
        base_delay=1,
        timeout=30,
    )
    .step("validate_card", validate_card, description="Check digit and expiry.")
    .step("charge", charge, depends_on="validate_card", description="One row in the ledger.")
    .step("receipt", receipt, depends_on="charge")
)

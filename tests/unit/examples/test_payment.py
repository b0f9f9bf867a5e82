"""The handlers of flows `payment` and `order`."""

import logging
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from dagster_pgflow.examples import order, payment
from dagster_pgflow.examples.payment import CARD_LIMIT, Bill, Card, Charge, Checked
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.step_errors import NonRetryable
from dagster_pgflow.store.database import Database
from dagster_pgflow.validation.validate import validate
from tests.postgres import Session


def step_context(database: Database | None = None, key: str = "run:charge:0") -> StepContext:
    return StepContext(
        flow_input=None,
        run_id="00000000-0000-0000-0000-000000000000",
        flow_slug="payment",
        step_slug="charge",
        step_path="charge",
        task_index=0,
        task_path="charge",
        attempt=1,
        idempotency_key=key,
        params={},
        log=logging.getLogger("test"),
        resources=SimpleNamespace(pgflow=SimpleNamespace(database=database)),
    )


def bill(card_number: str = "4111 1111 1111 1111", expires: str = "12/39") -> Bill:
    return Bill(reference="order 1", card_number=card_number, expires=expires, amount=2500)


CARD = Checked(
    validate_card=Card(reference="order 1", amount=2500, currency="EUR", card="**** 1111")
)


def charge(database: Database, key: str = "run:charge:0") -> Charge:
    result: Charge = payment.charge(CARD, step_context(database, key))
    return result


@pytest.mark.parametrize(
    "number", ["4111 1111 1111 1111", "5555555555554444", "3782-822463-10005", "6011000990139424"]
)
def test_real_card_numbers_are_valid(number: str) -> None:
    assert payment.validate_card(bill(number), step_context()).card == f"**** {number[-4:]}"


@pytest.mark.parametrize("number", ["4111 1111 1111 1112", "1234", "card", "", "٤١١١١١١١١١١١١١١١"])
def test_other_numbers_are_refused_and_not_tried_again(number: str) -> None:
    with pytest.raises(NonRetryable, match="no valid number"):
        payment.validate_card(bill(number), step_context())


def test_an_expired_card_is_refused() -> None:
    with pytest.raises(NonRetryable, match=r"expired in 01/20"):
        payment.validate_card(bill(expires="01/20"), step_context())


def test_the_card_number_goes_no_further_than_its_check() -> None:
    assert "4111" not in payment.validate_card(bill(), step_context()).model_dump_json()


def test_what_the_bank_declines_is_not_booked_and_not_tried_again(
    database: Database, sql: Session
) -> None:
    too_much = CARD.validate_card.model_copy(update={"amount": CARD_LIMIT + 1})
    with pytest.raises(NonRetryable, match=r"declined 10000\.01 EUR for order 1"):
        payment.charge(Checked(validate_card=too_much), step_context(database))
    assert sql.value("select to_regclass('pgflow_examples.ledger')") is None


def test_a_charge_is_a_row_in_the_ledger(database: Database, sql: Session) -> None:
    booked = charge(database)
    assert sql("select reference, amount, card from pgflow_examples.ledger") == [
        ("order 1", 2500, "**** 1111")
    ]
    assert payment.receipt(payment.Charged(charge=booked)).receipt_id == "R000001"


def test_a_charge_that_is_tried_again_is_booked_once(database: Database, sql: Session) -> None:
    assert charge(database) == charge(database)
    assert sql.value("select count(*) from pgflow_examples.ledger") == 1


def test_charges_at_the_same_time_make_the_table_once_and_book_each_once(
    database: Database, sql: Session
) -> None:
    keys = [f"run:{number % 4}" for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: charge(database, key), keys))
    assert sql.value("select count(*) from pgflow_examples.ledger") == 4


def test_an_order_adds_up_its_lines() -> None:
    wanted = order.OrderInput.model_validate(
        {
            "order_id": "7",
            "lines": [{"item": "a", "price": 1250, "quantity": 2}, {"item": "b", "price": 300}],
            "card_number": "4111111111111111",
            "expires": "12/39",
        }
    )
    assert order.prepare(wanted).amount == 2800


def test_both_flows_are_sound() -> None:
    known = {"payment": payment.payment, "order": order.order}
    assert validate(payment.payment, known) == ()
    assert validate(order.order, known) == ()
